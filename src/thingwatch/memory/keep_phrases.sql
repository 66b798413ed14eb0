-- phrases-N.parquet: repeated keys that one run saw, in dialects no earlier run saw them in: what is ordinary to say.
SELECT n.key AS key, n.dialect AS dialect
FROM (
    SELECT DISTINCT k.key AS key, k.dialect AS dialect
    FROM all_keys AS k
    JOIN (
        SELECT key FROM all_keys GROUP BY key HAVING count(*) > 1
        UNION
        SELECT DISTINCT p.key AS key FROM known_phrases AS p JOIN fresh_keys AS f ON f.key = p.key
    ) AS r ON r.key = k.key
) AS n
LEFT JOIN known_phrases AS p ON p.key = n.key AND p.dialect = n.dialect
WHERE p.key IS NULL
ORDER BY n.key, n.dialect
