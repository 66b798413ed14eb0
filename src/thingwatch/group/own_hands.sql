-- own_hands: the messages of nameless lures by the lure's own hand: the candidates without those from busy sources,
-- unless most of the lure comes from such.
CREATE OR REPLACE TABLE own_hands AS
SELECT c.seq AS seq, c.lure AS lure, c.client_ip AS client_ip, c.dialect AS dialect, c.bin AS bin
FROM hand_candidates AS c
LEFT JOIN busy_sources AS b ON b.client_ip = c.client_ip
JOIN (
    SELECT c.lure AS lure, avg(CASE WHEN b.client_ip IS NULL THEN 0.0 ELSE 1.0 END) AS busy
    FROM hand_candidates AS c
    LEFT JOIN busy_sources AS b ON b.client_ip = c.client_ip
    GROUP BY c.lure
) AS l ON l.lure = c.lure
WHERE b.client_ip IS NULL OR l.busy >= 0.5
