-- standing: the messages that stand for each firm lure of this run's campaigns from now on: the earliest, the first of its
-- largest dialects, and others spread over the rest. Of bulk mail a few are enough: its messages are nearly equal.
CREATE OR REPLACE TABLE standing AS
SELECT lure, seq
FROM (
    SELECT
        c.lure AS lure, c.seq AS seq, c.turn AS turn, c.messages AS messages, c.of_dialect AS of_dialect,
        dense_rank() OVER (PARTITION BY c.lure ORDER BY c.in_dialect DESC, c.dialect) AS dialect_place,
        CASE WHEN j.verdict = 'bulk' THEN $few ELSE $many END AS wanted
    FROM (
        SELECT
            x.lure AS lure, x.seq AS seq, m.dialect AS dialect,
            row_number() OVER (PARTITION BY x.lure ORDER BY x.seq) AS turn,
            count(*) OVER (PARTITION BY x.lure) AS messages,
            row_number() OVER (PARTITION BY x.lure, m.dialect ORDER BY x.seq) AS of_dialect,
            count(*) OVER (PARTITION BY x.lure, m.dialect) AS in_dialect
        FROM (
            SELECT lure, seq FROM settling WHERE NOT stray
            UNION
            SELECT coalesce(g.now, s.lure) AS lure, s.seq AS seq
            FROM spokesmen AS s
            LEFT JOIN mergings AS g ON g.lure = s.lure
        ) AS x
        JOIN mails AS m ON m.seq = x.seq
    ) AS c
    JOIN firm AS h ON h.lure = c.lure
    JOIN verdicts AS j ON j.campaign = h.campaign
) AS y
WHERE turn = 1
    OR (of_dialect = 1 AND 4 * dialect_place <= wanted)
    OR turn * wanted // messages <> (turn - 1) * wanted // messages
