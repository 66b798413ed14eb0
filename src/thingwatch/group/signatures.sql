-- signatures: what tells a lure's messages from all others: keys with the log-likelihood ratio of holding them
-- inside and outside (Fellegi and Sunter's agreement weight, 1969), learnt from this very mail. Each key speaks
-- for one lure only, the one that holds it most.
CREATE OR REPLACE TABLE signatures AS
SELECT c.lure AS lure, c.key AS key, c.kind AS kind, c.messages AS messages, c.others AS others, c.weight AS weight
FROM (
    SELECT
        k.lure AS lure,
        k.key AS key,
        k.kind AS kind,
        k.messages AS messages,
        b.messages - k.messages + coalesce(o.unloaded, 0) AS others,
        floor(1024 * least(
            w.bits,
            log2(((k.messages + 0.1) / (s.messages + 1.0)) / ((b.messages - k.messages + coalesce(o.unloaded, 0) + 0.5) / (t.messages - s.messages + 1.0)))
        ) + 0.5) / 1024 AS weight,
        row_number() OVER (PARTITION BY k.key ORDER BY k.messages DESC, k.lure) AS rank
    FROM (
        SELECT d.lure AS lure, h.key AS key, min(h.kind) AS kind, count(*) AS messages
        FROM held AS h
        JOIN drafts AS d ON d.seq = h.seq
        GROUP BY d.lure, h.key
        HAVING count(*) > 1
    ) AS k
    JOIN (SELECT lure, count(*) AS messages FROM drafts GROUP BY lure HAVING count(*) > 2) AS s ON s.lure = k.lure
    JOIN buckets AS b ON b.key = k.key
    JOIN kind_weights AS w ON w.kind = k.kind
    LEFT JOIN ordinary AS o ON o.key = k.key
    CROSS JOIN all_mail AS t
) AS c
WHERE c.rank = 1 AND c.weight > 1.0
