-- asleep: remembered messages of nameless lures that take no part in this run, by source and dialect.
CREATE OR REPLACE TABLE asleep AS
SELECT s.client_ip AS client_ip, s.dialect AS dialect, count(*) AS messages
FROM (
    SELECT lure, client_ip, dialect FROM settled WHERE NOT stray
    UNION ALL
    SELECT lure, client_ip, dialect FROM young
) AS s
JOIN known_lures AS n ON n.lure = s.lure
LEFT JOIN woken AS w ON w.campaign = n.campaign
WHERE n.nameless AND w.campaign IS NULL
GROUP BY s.client_ip, s.dialect
