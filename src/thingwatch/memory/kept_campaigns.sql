-- kept_campaigns: every campaign known. Those not heard of since $oldest are forgotten.
CREATE OR REPLACE TABLE kept_campaigns AS
SELECT campaign, campaign_id, verdict, kind, bits, messages, sources, first_seen, last_seen
FROM (
    SELECT
        r.campaign AS campaign, n.campaign_id AS campaign_id, j.verdict AS verdict, j.kind AS kind, j.bits AS bits,
        r.messages AS messages, r.sources AS sources, r.first_seen AS first_seen, r.last_seen AS last_seen
    FROM reported AS r
    JOIN campaign_names AS n ON n.campaign = r.campaign
    JOIN verdicts AS j ON j.campaign = r.campaign
    UNION ALL
    SELECT
        k.campaign AS campaign, k.campaign_id AS campaign_id, k.verdict AS verdict, k.kind AS kind, k.bits AS bits,
        k.messages AS messages, k.sources AS sources, k.first_seen AS first_seen, k.last_seen AS last_seen
    FROM known_campaigns AS k
    LEFT JOIN woken AS w ON w.campaign = k.campaign
    WHERE w.campaign IS NULL
) AS k
WHERE coalesce(last_seen, $newest) >= $oldest
