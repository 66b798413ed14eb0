-- apart: in how many networks each campaign's sources sit: by ASN, or by /24 where no ASN is known.
CREATE OR REPLACE TABLE apart AS
SELECT s.campaign AS campaign, count(DISTINCT CASE WHEN a.asn > 0 THEN CAST(a.asn AS VARCHAR) ELSE a.prefix END) AS networks
FROM campaign_sources AS s
JOIN addresses AS a ON a.client_ip = s.client_ip
GROUP BY s.campaign
