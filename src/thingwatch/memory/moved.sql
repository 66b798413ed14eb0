-- moved: messages that an earlier run read and that only now came to the campaign they are in, or left theirs.
CREATE OR REPLACE TABLE moved AS
SELECT d.seq AS seq
FROM carried AS d
LEFT JOIN campaign_members AS c ON c.seq = d.seq
LEFT JOIN campaign_names AS n ON n.campaign = c.campaign
WHERE coalesce(d.campaign_id, '') <> coalesce(n.campaign_id, '')
