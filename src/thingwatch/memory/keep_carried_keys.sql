-- carried_keys.parquet: their keys.
SELECT k.seq AS seq, k.kind AS kind, k.key AS key, k.dialect AS dialect
FROM all_keys AS k
JOIN waiting AS w ON w.seq = k.seq
ORDER BY k.seq, k.key
