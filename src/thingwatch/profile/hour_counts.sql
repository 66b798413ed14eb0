-- hour_counts: mails per address and clock hour, in all mail: what a per-address limit sees.
CREATE OR REPLACE TABLE hour_counts AS
SELECT client_ip, received_at // 3600000000 AS hour, received_at // 86400000000 AS day, count(*) AS messages
FROM mails
WHERE client_ip IS NOT NULL AND received_at IS NOT NULL
GROUP BY client_ip, received_at // 3600000000, received_at // 86400000000
