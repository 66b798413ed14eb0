-- lure_subjects: the commonest subject of each lure, with a message that bears it and how many subjects there are.
CREATE OR REPLACE TABLE lure_subjects AS
SELECT campaign, lure, subject, example, subjects
FROM (
    SELECT
        campaign,
        lure,
        subject,
        min(example) AS example,
        count(*) OVER (PARTITION BY campaign, lure) AS subjects,
        row_number() OVER (PARTITION BY campaign, lure ORDER BY sum(messages) DESC, subject) AS place
    FROM subjects
    GROUP BY campaign, lure, subject
) AS ranked
WHERE place = 1
