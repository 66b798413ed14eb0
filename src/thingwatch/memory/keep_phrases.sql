-- phrases-N.parquet: repeated keys, and how many messages of one run hold them in each dialect: what is ordinary to say.
SELECT k.key AS key, k.dialect AS dialect, count(*) AS messages
FROM fresh_keys AS k
JOIN (
    SELECT key FROM all_keys GROUP BY key HAVING count(*) > 1
    UNION
    SELECT key FROM known_phrases
) AS r ON r.key = k.key
GROUP BY k.key, k.dialect
ORDER BY k.key, k.dialect
