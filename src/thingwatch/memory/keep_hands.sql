-- hands.parquet: in which dialects each known campaign is written, and what each is worth in bits.
SELECT x.campaign AS campaign, x.dialect AS dialect, x.weight AS weight, x.messages AS messages, x.others AS others
FROM (
    SELECT campaign, dialect, weight, messages, others FROM shown_dialects
    UNION ALL
    SELECT k.campaign AS campaign, k.dialect AS dialect, k.weight AS weight, k.messages AS messages, k.others AS others
    FROM known_hands AS k
    LEFT JOIN woken AS w ON w.campaign = k.campaign
    WHERE w.campaign IS NULL
) AS x
JOIN kept_campaigns AS c ON c.campaign = x.campaign
ORDER BY x.campaign, x.dialect
