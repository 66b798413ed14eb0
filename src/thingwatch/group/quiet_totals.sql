-- quiet_totals: how much mail arrives while a campaign is silent.
CREATE OR REPLACE TABLE quiet_totals AS
SELECT f.campaign AS campaign, t.messages - coalesce(sum(b.messages), 0) AS messages
FROM campaign_facts AS f
LEFT JOIN (
    SELECT c.campaign AS campaign, a.messages AS messages
    FROM campaign_bins AS c
    JOIN (SELECT bin, count(*) AS messages FROM mails GROUP BY bin) AS a ON a.bin = c.bin
) AS b ON b.campaign = f.campaign
CROSS JOIN (SELECT count(*) AS messages FROM mails) AS t
GROUP BY f.campaign, t.messages
