-- source_systems: what the border's TCP fingerprint said of each source, and which system its mail program claimed.
CREATE OR REPLACE TABLE source_systems AS
SELECT d.client_ip AS client_ip, d.system AS system, d.claims AS claims, count(*) AS messages, max(d.received_at) AS seen_at
FROM details AS d
JOIN (SELECT DISTINCT client_ip FROM campaign_sources) AS s ON s.client_ip = d.client_ip
WHERE d.system <> '' OR d.claims <> ''
GROUP BY d.client_ip, d.system, d.claims
