-- belonging: the messages of reported campaigns, with what the sections count.
CREATE OR REPLACE TABLE belonging AS
SELECT c.seq AS seq, c.campaign AS campaign, c.lure AS lure, m.client_ip AS client_ip, m.received_at AS received_at
FROM campaign_members AS c
JOIN reported AS r ON r.campaign = c.campaign
JOIN mails AS m ON m.seq = c.seq
