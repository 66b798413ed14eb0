-- recent: the newest messages in no reported campaign, which every run looks at again.
CREATE OR REPLACE TABLE recent AS
SELECT seq
FROM (
    SELECT l.seq AS seq, row_number() OVER (ORDER BY coalesce(l.received_at, 0) DESC, l.seq DESC) AS turn
    FROM known_loose AS l
    LEFT JOIN young AS y ON y.seq = l.seq
    LEFT JOIN settled AS s ON s.seq = l.seq
    WHERE y.seq IS NULL AND s.seq IS NULL AND (l.received_at >= $since OR l.received_at IS NULL)
) AS x
WHERE turn <= $carry_messages
