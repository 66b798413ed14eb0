-- signatures: what tells each lure's messages from all others, counted over all runs: a key is counted from the run on in
-- which it first belonged to the signature. Each key speaks for one lure only.
CREATE OR REPLACE TABLE signatures AS
SELECT c.lure AS lure, c.key AS key, c.kind AS kind, c.messages AS messages, c.others AS others, c.weight AS weight
FROM (
    SELECT
        x.lure AS lure, x.key AS key, x.kind AS kind, x.messages AS messages, greatest(b.messages - x.messages, 0) AS others,
        floor(1024 * least(
            w.bits,
            log2(((x.messages + 0.1) / (s.messages + 1.0)) / ((greatest(b.messages - x.messages, 0) + 0.5) / (greatest(t.messages - s.messages, 0) + 1.0)))
        ) + 0.5) / 1024 AS weight,
        row_number() OVER (PARTITION BY x.key ORDER BY x.messages DESC, x.lure) AS rank
    FROM (
        SELECT lure, key, min(kind) AS kind, CAST(sum(messages) AS BIGINT) AS messages
        FROM (
            SELECT coalesce(g.now, k.lure) AS lure, k.key AS key, k.kind AS kind, k.messages AS messages
            FROM known_signatures AS k
            JOIN known_lures AS n ON n.lure = k.lure AND n.firm
            JOIN woken AS w ON w.campaign = n.campaign
            LEFT JOIN mergings AS g ON g.lure = k.lure
            UNION ALL
            SELECT m.lure AS lure, h.key AS key, min(h.kind) AS kind, count(*) AS messages
            FROM found_held AS h
            JOIN members AS m ON m.seq = h.seq
            LEFT JOIN recalled AS r ON r.seq = h.seq
            JOIN (
                SELECT n.lure AS lure, f.key AS key
                FROM found_signatures AS f
                JOIN namings AS n ON n.found = f.lure
                UNION
                SELECT coalesce(g.now, k.lure) AS lure, k.key AS key
                FROM known_signatures AS k
                JOIN known_lures AS n ON n.lure = k.lure AND n.firm
                LEFT JOIN mergings AS g ON g.lure = k.lure
            ) AS own ON own.lure = m.lure AND own.key = h.key
            WHERE r.seq IS NULL
            GROUP BY m.lure, h.key
        ) AS counted
        GROUP BY lure, key
    ) AS x
    JOIN (SELECT lure, count(*) AS messages FROM members GROUP BY lure) AS s ON s.lure = x.lure
    JOIN buckets AS b ON b.key = x.key
    JOIN kind_weights AS w ON w.kind = x.kind
    CROSS JOIN (SELECT sum(messages) AS messages FROM dialect_totals) AS t
) AS c
WHERE c.rank = 1 AND c.weight > 1.0
