-- spokesmen.parquet: the messages that stand for each known lure where later mail is compared.
SELECT x.lure AS lure, x.seq AS seq
FROM (
    SELECT lure, seq FROM standing
    UNION ALL
    SELECT k.lure AS lure, k.seq AS seq
    FROM known_spokesmen AS k
    JOIN known_lures AS n ON n.lure = k.lure
    LEFT JOIN woken AS w ON w.campaign = n.campaign
    WHERE w.campaign IS NULL
) AS x
JOIN kept_lures AS l ON l.lure = x.lure
ORDER BY x.lure, x.seq
