-- campaign_bins: the ten minutes in which each such campaign is active. What arrives outside of them cannot be it:
-- the background its hand is weighed against, free of its own mails that no lure holds yet.
CREATE OR REPLACE TABLE campaign_bins AS
SELECT c.campaign AS campaign, m.bin AS bin, count(*) AS messages
FROM core_members AS c
JOIN campaign_facts AS f ON f.campaign = c.campaign
JOIN mails AS m ON m.seq = c.seq
WHERE m.bin IS NOT NULL
GROUP BY c.campaign, m.bin
