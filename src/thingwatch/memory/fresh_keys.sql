-- fresh_keys: the keys of those messages.
CREATE OR REPLACE TABLE fresh_keys AS
SELECT k.seq AS seq, k.kind AS kind, k.key AS key, k.dialect AS dialect
FROM read_keys AS k
LEFT JOIN seen AS s ON s.seq = k.seq
WHERE s.seq IS NULL
