-- all_bins: how much mail of any kind arrived in each ten seconds, in all runs.
SELECT bin, CAST(sum(messages) AS BIGINT) AS messages
FROM (
    SELECT bin, messages FROM known_bins
    UNION ALL
    SELECT received_at // 10000000 AS bin, 1 AS messages FROM fresh WHERE received_at IS NOT NULL
) AS t
GROUP BY bin
ORDER BY bin
