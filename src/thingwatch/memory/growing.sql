-- growing: all other messages of reported campaigns: their lures are small, all their keys are kept, and they are placed
-- anew whenever new mail comes near.
CREATE OR REPLACE TABLE growing AS
SELECT c.seq AS seq, coalesce(m.lure, c.campaign) AS lure, c.campaign AS campaign
FROM campaign_members AS c
JOIN reported AS r ON r.campaign = c.campaign
JOIN at_hand AS x ON x.seq = c.seq
LEFT JOIN core_members AS m ON m.seq = c.seq
LEFT JOIN settling AS s ON s.seq = c.seq
WHERE s.seq IS NULL
