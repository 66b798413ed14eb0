-- homes: the campaign of every lure that belongs to a reported one; what is remembered hangs on lures.
CREATE OR REPLACE TABLE homes AS
SELECT DISTINCT c.lure AS lure, c.campaign AS campaign
FROM core_members AS c
JOIN reported AS r ON r.campaign = c.campaign
