-- name_counts: the classes of PTR and HELO names of each campaign's sources.
CREATE OR REPLACE TABLE name_counts AS
SELECT s.campaign AS campaign, 'ptr' AS what, n.ptr_class AS class, count(*) AS sources
FROM campaign_sources AS s
JOIN named_sources AS n ON n.client_ip = s.client_ip
GROUP BY s.campaign, n.ptr_class
UNION ALL
SELECT s.campaign AS campaign, 'helo' AS what, n.helo_class AS class, count(*) AS sources
FROM campaign_sources AS s
JOIN named_sources AS n ON n.client_ip = s.client_ip
GROUP BY s.campaign, n.helo_class
