-- lure_brands: names a quarter of a lure claims to come from, whatever the address behind.
CREATE OR REPLACE TABLE lure_brands AS
SELECT b.campaign AS campaign, b.lure AS lure, b.from_name AS from_name, b.messages AS messages
FROM (
    SELECT campaign, lure, from_name, sum(messages) AS messages
    FROM subjects
    WHERE from_name <> ''
    GROUP BY campaign, lure, from_name
) AS b
JOIN lure_sizes AS s ON s.campaign = b.campaign AND s.lure = b.lure
WHERE b.messages >= 0.25 * s.messages
