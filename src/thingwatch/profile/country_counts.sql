-- country_counts: the countries of each campaign, the largest first.
CREATE OR REPLACE TABLE country_counts AS
SELECT campaign, country, sources, messages, row_number() OVER (PARTITION BY campaign ORDER BY messages DESC, country) AS place
FROM (
    SELECT s.campaign AS campaign, n.country AS country, count(*) AS sources, sum(s.messages) AS messages
    FROM campaign_sources AS s
    JOIN named_sources AS n ON n.client_ip = s.client_ip
    WHERE n.country <> ''
    GROUP BY s.campaign, n.country
) AS counted
