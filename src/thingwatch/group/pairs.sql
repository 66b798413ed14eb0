-- pairs: likeness of a message and a leader in content: worths of the keys they share, each family capped so that
-- no one trait decides alone. Leaders of different dialects meet at the first holder of all.
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
    FROM (
        SELECT h.seq AS message, l.leader AS leader, h.kind AS kind, h.weight AS weight
        FROM held AS h
        JOIN leaders AS l ON l.key = h.key AND l.dialect = h.dialect
        WHERE h.seq > l.leader
        UNION ALL
        SELECT leader AS message, first_seq AS leader, kind, weight
        FROM leaders
        WHERE leader > first_seq
    ) AS meetings
    GROUP BY message, leader
) AS met
WHERE least(text, $cap_text) + least(subject, $cap_subject) + least(link, $cap_link) + least(file, $cap_file)
    >= $min_likeness - $cap_form
