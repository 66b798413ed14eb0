-- hands.parquet: the dialects a twentieth of each reported campaign is written in: what its hand is known by when its
-- words have changed.
SELECT
    v.campaign_id AS campaign_id,
    h.dialect AS dialect,
    h.weight AS weight,
    CAST(h.messages AS BIGINT) AS messages,
    CAST(h.others AS BIGINT) AS others
FROM shown_dialects AS h
JOIN campaign_names AS v ON v.campaign = h.campaign
ORDER BY v.campaign_id, h.messages DESC, h.dialect
