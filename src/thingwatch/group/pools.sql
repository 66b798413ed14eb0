-- pools: the sources of each campaign that single mails may be attached to.
CREATE OR REPLACE TABLE pools AS
SELECT c.campaign AS campaign, o.client_ip AS client_ip, count(*) AS messages
FROM core_members AS c
JOIN own_hands AS o ON o.seq = c.seq
JOIN campaign_facts AS f ON f.campaign = c.campaign
WHERE o.client_ip IS NOT NULL
GROUP BY c.campaign, o.client_ip
