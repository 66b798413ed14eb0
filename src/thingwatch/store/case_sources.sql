-- sources.parquet: one row per source of a reported campaign. Who sent is not assessed by this stage: the
-- probabilities are null, and the evidence is what the address alone says.
SELECT
    s.client_ip AS client_ip,
    v.campaign_id AS campaign_id,
    s.messages AS messages,
    make_timestamp(s.first_seen) AT TIME ZONE 'UTC' AS first_seen,
    make_timestamp(s.last_seen) AT TIME ZONE 'UTC' AS last_seen,
    n.asn AS asn,
    n.country AS country,
    CAST(NULL AS DOUBLE) AS p_thing_self,
    CAST(NULL AS DOUBLE) AS p_thing_relay,
    CAST(NULL AS DOUBLE) AS p_nat_pc,
    CAST(NULL AS DOUBLE) AS p_mobile,
    CAST(NULL AS DOUBLE) AS p_server,
    'not assessed' AS origin,
    CAST(NULL AS VARCHAR) AS device_class,
    CAST(NULL AS VARCHAR) AS device_vendor,
    CAST(NULL AS VARCHAR) AS device_model,
    [
        {'what': 'PTR ' || n.ptr_class, 'when': make_timestamp(s.first_seen) AT TIME ZONE 'UTC', 'where': f.ptr},
        {'what': 'HELO ' || n.helo_class, 'when': make_timestamp(s.first_seen) AT TIME ZONE 'UTC', 'where': f.helo}
    ] AS evidence
FROM campaign_sources AS s
JOIN campaign_names AS v ON v.campaign = s.campaign
JOIN named_sources AS n ON n.client_ip = s.client_ip
JOIN source_facts AS f ON f.client_ip = s.client_ip
ORDER BY v.campaign_id, s.client_ip
