-- link_overlaps: hosts and registered domains two nameless lures lead to and hardly anybody else does.
CREATE OR REPLACE TABLE link_overlaps AS
SELECT a.lure AS lure, b.lure AS other, max(least(a.part, b.part)) AS overlap
FROM lure_links AS a
JOIN lure_links AS b ON b.key = a.key
WHERE a.lure < b.lure
GROUP BY a.lure, b.lure
