-- loaded: messages in no reported campaign that are looked at again: those received since $since, those alike to new mail,
-- and whoever is in a small group with one of them; the newest if they are too many.
CREATE OR REPLACE TABLE loaded AS
SELECT seq
FROM (
    SELECT l.seq AS seq, row_number() OVER (ORDER BY l.received_at DESC, l.seq DESC) AS turn
    FROM known_loose AS l
    JOIN (
        SELECT seq FROM known_loose WHERE received_at >= $since
        UNION
        SELECT seq FROM alike
        UNION
        SELECT o.seq AS seq
        FROM known_grouped AS o
        JOIN known_grouped AS g ON g.campaign_id = o.campaign_id
        JOIN alike AS a ON a.seq = g.seq
    ) AS x ON x.seq = l.seq
    LEFT JOIN young AS y ON y.seq = l.seq
    LEFT JOIN settled AS s ON s.seq = l.seq
    WHERE y.seq IS NULL AND s.seq IS NULL AND (l.received_at >= $oldest_loose OR l.received_at IS NULL)
) AS x
WHERE turn <= $carry_messages
