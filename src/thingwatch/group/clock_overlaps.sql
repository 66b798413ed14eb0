-- clock_overlaps: for pairs of nameless lures that share something, the part of their messages that fall into the
-- same ten minutes.
CREATE OR REPLACE TABLE clock_overlaps AS
SELECT p.lure AS lure, p.other AS other, sum(least(floor(1048576.0 * a.messages / fa.messages) / 1048576, floor(1048576.0 * b.messages / fb.messages) / 1048576)) AS overlap
FROM candidate_pairs AS p
JOIN lure_clock AS a ON a.lure = p.lure
JOIN lure_clock AS b ON b.lure = p.other AND b.bin = a.bin
JOIN (SELECT lure, sum(messages) AS messages FROM lure_clock GROUP BY lure) AS fa ON fa.lure = p.lure
JOIN (SELECT lure, sum(messages) AS messages FROM lure_clock GROUP BY lure) AS fb ON fb.lure = p.other
GROUP BY p.lure, p.other
