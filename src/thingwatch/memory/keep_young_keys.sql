-- young_keys.parquet: their keys.
SELECT k.seq AS seq, g.campaign AS campaign, k.kind AS kind, k.key AS key, k.dialect AS dialect
FROM all_keys AS k
JOIN growing AS g ON g.seq = k.seq
UNION ALL
SELECT y.seq AS seq, y.campaign AS campaign, y.kind AS kind, y.key AS key, y.dialect AS dialect
FROM known_young_keys AS y
JOIN kept_campaigns AS c ON c.campaign = y.campaign
LEFT JOIN woken AS w ON w.campaign = y.campaign
WHERE w.campaign IS NULL
ORDER BY campaign, key, seq
