-- campaign_members: every message of every campaign, with its lure.
CREATE OR REPLACE TABLE campaign_members AS
SELECT c.seq AS seq, c.campaign AS campaign, t.label AS lure
FROM core_members AS c
JOIN said AS t ON t.campaign = c.campaign AND t.lure = c.lure
UNION ALL
SELECT seq, campaign, lure FROM adopted
