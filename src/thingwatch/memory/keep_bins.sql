-- bins-N.parquet: how much mail of any kind arrived in each ten seconds of one run.
SELECT received_at // 10000000 AS bin, count(*) AS messages
FROM fresh
WHERE received_at IS NOT NULL
GROUP BY received_at // 10000000
ORDER BY bin
