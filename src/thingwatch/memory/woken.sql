-- woken: the campaigns that today's mail comes near: it holds keys that speak for one of their lures, or at least
-- $waking_sources of the sources of their nameless lures sent some, a log shows their hand, or it is alike.
CREATE OR REPLACE TABLE woken AS
SELECT n.campaign AS campaign
FROM (
    SELECT k.seq AS seq, s.lure AS lure
    FROM fresh_keys AS k
    JOIN known_signatures AS s ON s.key = k.key
    GROUP BY k.seq, s.lure
    HAVING sum(s.weight) >= $waking_bits
) AS v
JOIN known_lures AS n ON n.lure = v.lure
UNION
SELECT n.campaign AS campaign
FROM (
    SELECT s.lure AS lure, s.client_ip AS client_ip
    FROM settled AS s
    JOIN (SELECT DISTINCT client_ip FROM fresh WHERE client_ip IS NOT NULL) AS f ON f.client_ip = s.client_ip
    UNION
    SELECT y.lure AS lure, y.client_ip AS client_ip
    FROM young AS y
    JOIN (SELECT DISTINCT client_ip FROM fresh WHERE client_ip IS NOT NULL) AS f ON f.client_ip = y.client_ip
) AS s
JOIN known_lures AS n ON n.lure = s.lure
WHERE n.nameless
GROUP BY n.campaign
HAVING count(DISTINCT s.client_ip) >= $waking_sources
UNION
SELECT n.campaign AS campaign
FROM settled AS s
JOIN (SELECT DISTINCT dialect FROM fresh WHERE logged) AS f ON f.dialect = s.dialect
JOIN known_lures AS n ON n.lure = s.lure
WHERE s.logged
UNION
SELECT y.campaign AS campaign
FROM young AS y
JOIN (SELECT DISTINCT dialect FROM fresh WHERE logged) AS f ON f.dialect = y.dialect
WHERE y.logged
UNION
SELECT y.campaign AS campaign
FROM young AS y
JOIN alike AS a ON a.seq = y.seq
