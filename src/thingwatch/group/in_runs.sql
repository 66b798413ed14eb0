-- in_runs: the messages of logged runs that no earlier run has settled, each under the name its run had there.
CREATE OR REPLACE TABLE in_runs AS
SELECT r.seq AS seq, coalesce(o.lure, r.lure) AS lure
FROM logged_runs AS r
LEFT JOIN frozen AS f ON f.seq = r.seq
LEFT JOIN (
    SELECT r.lure AS lure_found, min(f.lure) AS lure
    FROM logged_runs AS r
    JOIN frozen AS f ON f.seq = r.seq
    GROUP BY r.lure
) AS o ON o.lure_found = r.lure
WHERE f.seq IS NULL
