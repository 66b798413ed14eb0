-- lure_subjects: the commonest subject of each lure, with a message that bears it and how many subjects there are. No
-- window: a lure of a million mails may have a million subjects, and one machine would sort them.
CREATE OR REPLACE TABLE lure_subjects AS
SELECT f.campaign AS campaign, f.lure AS lure, f.subject AS subject, min(s.example) AS example, min(f.subjects) AS subjects
FROM (
    SELECT m.campaign AS campaign, m.lure AS lure, min(c.subject) AS subject, min(m.subjects) AS subjects
    FROM (
        SELECT campaign, lure, max(messages) AS messages, count(*) AS subjects
        FROM (SELECT campaign, lure, subject, sum(messages) AS messages FROM subjects GROUP BY campaign, lure, subject) AS s
        GROUP BY campaign, lure
    ) AS m
    JOIN (SELECT campaign, lure, subject, sum(messages) AS messages FROM subjects GROUP BY campaign, lure, subject) AS c
        ON c.campaign = m.campaign AND c.lure = m.lure AND c.messages = m.messages
    GROUP BY m.campaign, m.lure
) AS f
JOIN subjects AS s ON s.campaign = f.campaign AND s.lure = f.lure AND s.subject = f.subject
GROUP BY f.campaign, f.lure, f.subject
