-- signatures.parquet: by which keys each known lure is recognised, and what each is worth in bits: the $most that carry
-- most of it.
SELECT x.lure AS lure, x.key AS key, x.kind AS kind, x.weight AS weight, x.messages AS messages, x.others AS others
FROM (
    SELECT
        s.lure AS lure, s.key AS key, s.kind AS kind, s.weight AS weight, s.messages AS messages, s.others AS others,
        row_number() OVER (PARTITION BY s.lure ORDER BY s.messages * s.weight DESC, s.key) AS place
    FROM signatures AS s
    JOIN homes AS h ON h.lure = s.lure
    UNION ALL
    SELECT
        s.lure AS lure, s.key AS key, s.kind AS kind, s.weight AS weight, s.messages AS messages, s.others AS others,
        0 AS place
    FROM known_signatures AS s
    JOIN known_lures AS n ON n.lure = s.lure
    LEFT JOIN woken AS w ON w.campaign = n.campaign
    WHERE w.campaign IS NULL
) AS x
JOIN kept_lures AS k ON k.lure = x.lure
WHERE x.place <= $most
ORDER BY x.lure, x.key
