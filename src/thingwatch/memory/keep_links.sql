-- links-N.parquet: how many messages of one run hold each key of links and files.
SELECT key, min(kind) AS kind, count(*) AS messages
FROM fresh_keys
WHERE kind IN (6, 7, 8, 9)
GROUP BY key
ORDER BY key
