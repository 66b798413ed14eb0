-- attached: single mails that an earlier run attached to a campaign, by one of its lures; none in a run of its own.
CREATE OR REPLACE TABLE attached AS
SELECT seq, lure, lure AS label
FROM members
WHERE 1 = 0
