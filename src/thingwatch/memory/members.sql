-- members: the lure of every message: the new as they were placed, the old as they are remembered.
CREATE OR REPLACE TABLE members AS
SELECT p.seq AS seq, n.lure AS lure, p.likeness AS likeness
FROM placed AS p
JOIN namings AS n ON n.found = p.lure
LEFT JOIN recalled AS r ON r.seq = p.seq
WHERE r.seq IS NULL
UNION ALL
SELECT r.seq AS seq, coalesce(g.now, r.lure) AS lure, 0.0 AS likeness
FROM recalled AS r
LEFT JOIN mergings AS g ON g.lure = r.lure
WHERE NOT r.stray
