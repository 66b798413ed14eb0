-- linked-N.parquet: the keys of links and files of the same messages.
SELECT s.lure AS lure, k.seq AS seq, k.kind AS kind, k.key AS key, k.dialect AS dialect
FROM settling AS s
JOIN keys AS k ON k.seq = s.seq
WHERE k.kind IN (6, 7, 8, 9)
ORDER BY s.lure, k.seq, k.key
