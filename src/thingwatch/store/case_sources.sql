-- sources.parquet, but for its evidence: one row per source of a reported campaign. Where senders were not assessed, or
-- too little was seen, the chances are null.
SELECT
    s.client_ip AS client_ip,
    v.campaign_id AS campaign_id,
    s.messages AS messages,
    make_timestamp(s.first_seen) AT TIME ZONE 'UTC' AS first_seen,
    make_timestamp(s.last_seen) AT TIME ZONE 'UTC' AS last_seen,
    n.asn AS asn,
    n.country AS country,
    o.p_thing_self AS p_thing_self,
    o.p_thing_relay AS p_thing_relay,
    o.p_nat_pc AS p_nat_pc,
    o.p_mobile AS p_mobile,
    o.p_server AS p_server,
    coalesce(o.origin, 'not assessed') AS origin,
    o.device_class AS device_class,
    o.device_vendor AS device_vendor,
    o.device_model AS device_model
FROM campaign_sources AS s
JOIN campaign_names AS v ON v.campaign = s.campaign
JOIN named_sources AS n ON n.client_ip = s.client_ip
LEFT JOIN source_origins AS o ON o.campaign = s.campaign AND o.client_ip = s.client_ip
ORDER BY v.campaign_id, s.client_ip
