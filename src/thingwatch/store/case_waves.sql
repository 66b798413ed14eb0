-- waves.parquet: the waves of reported campaigns.
SELECT
    v.campaign_id AS campaign_id,
    CAST(w.number AS INTEGER) AS wave,
    make_timestamp(w.starts) AT TIME ZONE 'UTC' AS starts,
    make_timestamp(w.ends) AT TIME ZONE 'UTC' AS ends,
    w.messages AS messages
FROM campaign_waves AS w
JOIN campaign_names AS v ON v.campaign = w.campaign
ORDER BY v.campaign_id, w.number
