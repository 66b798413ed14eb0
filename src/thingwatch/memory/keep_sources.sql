-- sources-N.parquet: how much each address sent in one run, and how much of it under a name.
SELECT client_ip, count(*) AS messages, CAST(sum(CASE WHEN name <> '' THEN 1 ELSE 0 END) AS BIGINT) AS named
FROM fresh
WHERE client_ip IS NOT NULL
GROUP BY client_ip
ORDER BY client_ip
