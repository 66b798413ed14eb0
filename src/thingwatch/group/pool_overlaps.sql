-- pool_overlaps: sources that two nameless lures share. A source that sends for many lures is somebody's server
-- and proves nothing about any two of them.
CREATE OR REPLACE TABLE pool_overlaps AS
SELECT a.lure AS lure, b.lure AS other, count(*) AS shared
FROM lure_sources AS a
JOIN lure_sources AS b ON b.client_ip = a.client_ip
JOIN (SELECT client_ip FROM lure_sources GROUP BY client_ip HAVING count(*) <= $max_lures_per_source) AS few
    ON few.client_ip = a.client_ip
WHERE a.lure < b.lure
GROUP BY a.lure, b.lure
