-- pairs: likeness of a message and a leader in content: worths of the shared keys, each family capped so that no
-- one trait decides alone.
CREATE OR REPLACE TABLE pairs AS
SELECT
    message,
    leader,
    shared,
    least(text, $cap_text) + least(subject, $cap_subject) + least(link, $cap_link) + least(file, $cap_file) AS content
FROM (
    SELECT
        message,
        leader,
        count(*) AS shared,
        sum(CASE WHEN kind <= 3 THEN weight ELSE 0 END) AS text,
        sum(CASE WHEN kind IN (4, 5) THEN weight ELSE 0 END) AS subject,
        sum(CASE WHEN kind IN (6, 7, 8) THEN weight ELSE 0 END) AS link,
        sum(CASE WHEN kind >= 9 THEN weight ELSE 0 END) AS file
    FROM meetings
    GROUP BY message, leader
) AS met
WHERE least(text, $cap_text) + least(subject, $cap_subject) + least(link, $cap_link) + least(file, $cap_file)
    >= $min_likeness - $cap_form
