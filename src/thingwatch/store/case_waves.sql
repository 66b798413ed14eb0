-- waves.parquet: the waves of reported campaigns.
SELECT
    v.campaign_id AS campaign_id,
    CAST(w.number AS INTEGER) AS wave,
    make_timestamptz(w.starts) AS starts,
    make_timestamptz(w.ends) AS ends,
    w.messages AS messages
FROM campaign_waves AS w
JOIN campaign_names AS v ON v.campaign = w.campaign
ORDER BY v.campaign_id, w.number
