-- source_histogram: how many sources of each campaign sent how many messages.
CREATE OR REPLACE TABLE source_histogram AS
SELECT campaign, messages, count(*) AS sources
FROM campaign_sources
GROUP BY campaign, messages
ORDER BY campaign, messages
