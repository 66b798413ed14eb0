-- campaign_sources: each source of each reported campaign.
CREATE OR REPLACE TABLE campaign_sources AS
SELECT campaign, client_ip, count(*) AS messages, min(received_at) AS first_seen, max(received_at) AS last_seen
FROM belonging
WHERE client_ip IS NOT NULL
GROUP BY campaign, client_ip
