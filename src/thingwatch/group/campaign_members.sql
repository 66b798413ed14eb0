-- campaign_members: every message of every campaign, with its lure.
CREATE OR REPLACE TABLE campaign_members AS
SELECT c.seq AS seq, c.campaign AS campaign, t.label AS lure
FROM core_members AS c
JOIN said AS t ON t.campaign = c.campaign AND t.lure = c.lure
UNION ALL
SELECT seq, campaign, lure FROM adopted
UNION ALL
SELECT a.seq AS seq, coalesce(l.campaign, a.lure) AS campaign, coalesce(t.label, a.label) AS lure
FROM attached AS a
LEFT JOIN core_members AS c ON c.seq = a.seq
LEFT JOIN lure_campaigns AS l ON l.lure = a.lure
LEFT JOIN said AS t ON t.campaign = coalesce(l.campaign, a.lure) AND t.lure = a.label
WHERE c.seq IS NULL
