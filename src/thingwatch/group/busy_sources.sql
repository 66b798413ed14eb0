-- busy_sources: sources that send a good deal, and hardly any of it in nameless lures: somebody's mail server, signed
-- or not. Whose one mail is worded like a lure there wrote it himself.
CREATE OR REPLACE TABLE busy_sources AS
SELECT a.client_ip AS client_ip
FROM source_totals AS a
JOIN (SELECT client_ip, count(*) AS messages FROM hand_candidates GROUP BY client_ip) AS c ON c.client_ip = a.client_ip
WHERE a.messages >= $busy_messages AND c.messages + a.asleep <= $busy_part * a.messages
