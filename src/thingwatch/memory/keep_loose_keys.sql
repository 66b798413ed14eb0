-- loose_keys-N.parquet: their keys.
SELECT k.seq AS seq, k.kind AS kind, k.key AS key, k.dialect AS dialect
FROM fresh_keys AS k
LEFT JOIN settling AS s ON s.seq = k.seq
WHERE s.seq IS NULL
ORDER BY k.seq, k.key
