-- messages.parquet: one row per message read, in input order. A seq of ours begins with the load's number and has gaps;
-- here it counts from 0. Messages that an earlier run read stand here where only now they moved to a campaign.
SELECT
    o.messages_before + row_number() OVER (PARTITION BY o.number ORDER BY d.seq) - 1 AS seq,
    d.message_id AS message_id,
    make_timestamp(d.received_at) AT TIME ZONE 'UTC' AS received_at,
    d.client_ip AS client_ip,
    v.campaign_id AS campaign_id,
    'l-' || lower(hex(CASE WHEN c.seq IS NOT NULL THEN c.lure ELSE l.lure END)) AS lure_id,
    CAST(w.number AS INTEGER) AS wave,
    d.place AS place
FROM details AS d
LEFT JOIN loads AS o ON o.number = d.seq // 1099511627776
LEFT JOIN moved AS n ON n.seq = d.seq
LEFT JOIN campaign_members AS c ON c.seq = d.seq
LEFT JOIN campaign_names AS v ON v.campaign = c.campaign
LEFT JOIN members AS l ON l.seq = d.seq
LEFT JOIN campaign_waves AS w ON w.campaign = c.campaign AND d.received_at BETWEEN w.low AND w.high
WHERE o.number IS NOT NULL OR n.seq IS NOT NULL
ORDER BY d.seq
