-- campaign_facts: the campaigns single mails may be attached to: nameless, many sources of few mails each, and dense
-- in time, because a trickle over weeks has no clock to share.
CREATE OR REPLACE TABLE campaign_facts AS
SELECT c.campaign AS campaign, count(*) AS messages, count(DISTINCT o.client_ip) AS sources
FROM core_members AS c
JOIN own_hands AS o ON o.seq = c.seq
JOIN mails AS m ON m.seq = c.seq
GROUP BY c.campaign
HAVING count(*) >= $min_stray_host
    AND count(*) <= 20 * count(DISTINCT o.client_ip)
    AND count(*) >= 3 * count(DISTINCT m.bin)
