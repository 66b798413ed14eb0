-- attached: single mails that an earlier run attached to a woken campaign.
CREATE OR REPLACE TABLE attached AS
SELECT r.seq AS seq, coalesce(g.now, r.lure) AS lure, coalesce(h.now, r.label) AS label
FROM recalled AS r
LEFT JOIN mergings AS g ON g.lure = r.lure
LEFT JOIN mergings AS h ON h.lure = r.label
WHERE r.stray
