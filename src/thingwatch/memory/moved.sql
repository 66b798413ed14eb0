-- moved: messages that an earlier run read and that only now came to the campaign they are in.
CREATE OR REPLACE TABLE moved AS
SELECT d.seq AS seq
FROM carried AS d
JOIN campaign_members AS c ON c.seq = d.seq
JOIN campaign_names AS n ON n.campaign = c.campaign
WHERE d.campaign_id IS NULL OR d.campaign_id <> n.campaign_id
