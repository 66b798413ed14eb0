-- wave_sources: the sources of each wave, and those of them not seen before it.
CREATE OR REPLACE TABLE wave_sources AS
SELECT w.campaign AS campaign, w.number AS number, count(DISTINCT b.client_ip) AS sources,
    count(DISTINCT CASE WHEN s.first_seen >= w.low THEN b.client_ip END) AS fresh
FROM campaign_waves AS w
JOIN belonging AS b ON b.campaign = w.campaign AND b.received_at BETWEEN w.low AND w.high
JOIN campaign_sources AS s ON s.campaign = b.campaign AND s.client_ip = b.client_ip
GROUP BY w.campaign, w.number
