-- keys.parquet: the signature of each reported campaign: its keys, what each is worth, and how much of the campaign
-- and of other mail holds it. report.json names the strongest in words.
SELECT
    v.campaign_id AS campaign_id,
    CASE
        WHEN k.kind <= 3 THEN 'text'
        WHEN k.kind <= 5 THEN 'subject'
        WHEN k.kind <= 8 THEN 'link'
        ELSE 'attachment'
    END AS family,
    k.kind AS kind,
    k.key AS key,
    k.weight AS weight,
    CAST(k.messages AS BIGINT) AS messages,
    CAST(k.others AS BIGINT) AS others
FROM signature_keys AS k
JOIN campaign_names AS v ON v.campaign = k.campaign
ORDER BY v.campaign_id, k.messages * k.weight DESC, k.key
