-- settling: messages that become part of a firm lure in this run; those attached as single mails to its campaign by the
-- campaign's first such lure.
CREATE OR REPLACE TABLE settling AS
SELECT m.seq AS seq, m.lure AS lure, FALSE AS stray, CAST(NULL AS BIGINT) AS label, c.seq IS NOT NULL AS core
FROM members AS m
JOIN firm AS h ON h.lure = m.lure
LEFT JOIN core_members AS c ON c.seq = m.seq
LEFT JOIN adopted AS a ON a.seq = m.seq
LEFT JOIN recalled AS r ON r.seq = m.seq
WHERE a.seq IS NULL AND r.seq IS NULL
UNION ALL
SELECT a.seq AS seq, p.lure AS lure, TRUE AS stray, a.lure AS label, TRUE AS core
FROM adopted AS a
JOIN (SELECT campaign, min(lure) AS lure FROM firm GROUP BY campaign) AS p ON p.campaign = a.campaign
LEFT JOIN recalled AS r ON r.seq = a.seq
WHERE r.seq IS NULL
