-- dialects-N.parquet: how much mail was written in each dialect in one run.
SELECT dialect, count(*) AS messages
FROM fresh
GROUP BY dialect
ORDER BY dialect
