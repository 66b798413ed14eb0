-- network_counts: the networks of each campaign, the largest first.
CREATE OR REPLACE TABLE network_counts AS
SELECT campaign, asn, name, country, sources, messages, row_number() OVER (PARTITION BY campaign ORDER BY messages DESC, asn) AS place
FROM (
    SELECT s.campaign AS campaign, n.asn AS asn, min(n.asn_name) AS name, min(n.country) AS country, count(*) AS sources, sum(s.messages) AS messages
    FROM campaign_sources AS s
    JOIN named_sources AS n ON n.client_ip = s.client_ip
    WHERE n.asn > 0
    GROUP BY s.campaign, n.asn
) AS counted
