-- loaded: messages in no reported campaign that are looked at again: the recent, of older ones those alike to new mail
-- (as many at most), and whoever is in a small group with one of these.
CREATE OR REPLACE TABLE loaded AS
SELECT seq FROM recent
UNION
SELECT seq
FROM (
    SELECT l.seq AS seq, row_number() OVER (ORDER BY coalesce(l.received_at, 0) DESC, l.seq DESC) AS turn
    FROM known_loose AS l
    JOIN (
        SELECT seq FROM alike
        UNION
        SELECT o.seq AS seq
        FROM known_grouped AS o
        JOIN known_grouped AS g ON g.campaign_id = o.campaign_id
        JOIN alike AS a ON a.seq = g.seq
    ) AS a ON a.seq = l.seq
    LEFT JOIN young AS y ON y.seq = l.seq
    LEFT JOIN settled AS s ON s.seq = l.seq
    WHERE y.seq IS NULL AND s.seq IS NULL AND (l.received_at >= $since OR l.received_at IS NULL)
) AS x
WHERE turn <= $carry_messages
