-- source_facts: one name and one HELO for each source of a reported campaign, to be classed.
CREATE OR REPLACE TABLE source_facts AS
SELECT d.client_ip AS client_ip, max(d.ptr) AS ptr, max(d.helo) AS helo
FROM details AS d
JOIN (SELECT DISTINCT client_ip FROM campaign_sources) AS s ON s.client_ip = d.client_ip
GROUP BY d.client_ip
