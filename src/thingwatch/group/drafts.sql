-- drafts: first lures: each message with the lowest centre its star was merged with.
CREATE OR REPLACE TABLE drafts AS
SELECT s.message AS seq, coalesce(c.label, s.centre) AS lure
FROM stars AS s
LEFT JOIN merged AS c ON c.centre = s.centre
