-- lure_sources: the sources of each nameless lure, but for servers that mostly send other mail: whoever shares
-- those shares a provider.
CREATE OR REPLACE TABLE lure_sources AS
SELECT o.lure AS lure, o.client_ip AS client_ip, count(*) AS messages
FROM own_hands AS o
JOIN source_totals AS a ON a.client_ip = o.client_ip
JOIN (SELECT client_ip, count(*) AS messages FROM own_hands GROUP BY client_ip) AS i ON i.client_ip = o.client_ip
WHERE i.messages + a.asleep >= 0.5 * a.messages
GROUP BY o.lure, o.client_ip
