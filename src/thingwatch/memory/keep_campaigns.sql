-- campaigns.parquet: every campaign known, see kept_campaigns.
SELECT campaign, campaign_id, verdict, kind, bits, messages, sources, first_seen, last_seen
FROM kept_campaigns
ORDER BY campaign
