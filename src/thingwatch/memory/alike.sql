-- alike: messages in no firm lure that may be one lure with a new message: they share $alike_bits of content with the
-- first new message that holds what they share, of all or of their own dialect.
CREATE OR REPLACE TABLE alike AS
SELECT DISTINCT seq
FROM (
    SELECT
        seq,
        leader,
        sum(CASE WHEN kind <= 3 THEN weight ELSE 0 END) AS text,
        sum(CASE WHEN kind IN (4, 5) THEN weight ELSE 0 END) AS subject,
        sum(CASE WHEN kind IN (6, 7, 8) THEN weight ELSE 0 END) AS link,
        sum(CASE WHEN kind >= 9 THEN weight ELSE 0 END) AS file
    FROM (
        SELECT k.seq AS seq, t.first_seq AS leader, t.kind AS kind, t.weight AS weight
        FROM old_keys AS k
        JOIN (SELECT DISTINCT key, kind, first_seq, weight FROM telling WHERE weight > 0.5) AS t ON t.key = k.key
        UNION ALL
        SELECT k.seq AS seq, t.leader AS leader, t.kind AS kind, t.weight AS weight
        FROM old_keys AS k
        JOIN telling AS t ON t.key = k.key AND t.dialect = k.dialect
        WHERE t.weight > 0.5 AND t.leader <> t.first_seq
    ) AS meetings
    GROUP BY seq, leader
) AS met
WHERE least(text, $cap_text) + least(subject, $cap_subject) + least(link, $cap_link) + least(file, $cap_file) >= $alike_bits
