-- blocklisted: messages of each campaign from addresses on the list the user gave.
CREATE OR REPLACE TABLE blocklisted AS
SELECT s.campaign AS campaign, sum(s.messages) AS listed
FROM campaign_sources AS s
JOIN listed_addresses AS l ON l.client_ip = s.client_ip
GROUP BY s.campaign
