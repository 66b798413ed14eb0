-- votes: for every message, how strongly its keys speak for a lure, each family capped; and which part of its
-- repeated keys does. Stray words weigh nothing: nobody repeats them.
CREATE OR REPLACE TABLE votes AS
SELECT
    seq,
    lure,
    keys,
    least(text, $cap_text) + least(subject, $cap_subject) + least(link, $cap_link) + least(file, $cap_file) AS likeness
FROM (
    SELECT
        h.seq AS seq,
        s.lure AS lure,
        count(*) AS keys,
        sum(CASE WHEN h.kind <= 3 THEN s.weight ELSE 0 END) AS text,
        sum(CASE WHEN h.kind IN (4, 5) THEN s.weight ELSE 0 END) AS subject,
        sum(CASE WHEN h.kind IN (6, 7, 8) THEN s.weight ELSE 0 END) AS link,
        sum(CASE WHEN h.kind >= 9 THEN s.weight ELSE 0 END) AS file
    FROM held AS h
    JOIN signatures AS s ON s.key = h.key
    GROUP BY h.seq, s.lure
) AS voted
