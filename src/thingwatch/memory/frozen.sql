-- frozen: messages of woken campaigns whose lure an earlier run settled.
CREATE OR REPLACE TABLE frozen AS
SELECT r.seq AS seq, coalesce(g.now, r.lure) AS lure
FROM recalled AS r
LEFT JOIN mergings AS g ON g.lure = r.lure
WHERE NOT r.stray
