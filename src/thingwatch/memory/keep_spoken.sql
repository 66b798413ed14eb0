-- spoken.parquet: the keys of those messages.
SELECT x.lure AS lure, x.seq AS seq, x.kind AS kind, x.key AS key, x.dialect AS dialect
FROM (
    SELECT s.lure AS lure, k.seq AS seq, k.kind AS kind, k.key AS key, k.dialect AS dialect
    FROM standing AS s
    JOIN all_keys AS k ON k.seq = s.seq
    UNION ALL
    SELECT k.lure AS lure, k.seq AS seq, k.kind AS kind, k.key AS key, k.dialect AS dialect
    FROM known_spoken AS k
    JOIN known_lures AS n ON n.lure = k.lure
    LEFT JOIN woken AS w ON w.campaign = n.campaign
    WHERE w.campaign IS NULL
) AS x
JOIN kept_lures AS l ON l.lure = x.lure
ORDER BY x.lure, x.key, x.seq
