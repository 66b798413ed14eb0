-- settling: messages that become part of a reported campaign's story in this run, by their lure; those attached as
-- single mails by the lure their campaign is named for.
CREATE OR REPLACE TABLE settling AS
SELECT m.seq AS seq, m.lure AS lure, FALSE AS stray, CAST(NULL AS BIGINT) AS label, c.seq IS NOT NULL AS core
FROM members AS m
JOIN homes AS h ON h.lure = m.lure
LEFT JOIN core_members AS c ON c.seq = m.seq
LEFT JOIN adopted AS a ON a.seq = m.seq
LEFT JOIN recalled AS r ON r.seq = m.seq
WHERE a.seq IS NULL AND r.seq IS NULL
UNION ALL
SELECT a.seq AS seq, a.campaign AS lure, TRUE AS stray, a.lure AS label, TRUE AS core
FROM adopted AS a
JOIN reported AS p ON p.campaign = a.campaign
LEFT JOIN recalled AS r ON r.seq = a.seq
WHERE r.seq IS NULL
