-- pool_weights: what it proves to come from a campaign's pool. Inside, the odds are counted on sources that sent
-- more than one of its messages (would this one have been known from another?); outside, on the mail that
-- arrives while the campaign is silent.
CREATE OR REPLACE TABLE pool_weights AS
SELECT
    i.campaign AS campaign,
    floor(
        1024 * log2((i.again + 0.1) / (i.messages + 1.0) / ((coalesce(o.messages, 0) + 0.5) / (q.messages + 1.0))) + 0.5
    ) / 1024 AS weight
FROM (
    SELECT campaign, sum(messages) AS messages, sum(CASE WHEN messages > 1 THEN messages ELSE 0 END) AS again
    FROM pools
    GROUP BY campaign
) AS i
JOIN quiet_totals AS q ON q.campaign = i.campaign
LEFT JOIN (
    SELECT p.campaign AS campaign, count(*) AS messages
    FROM pools AS p
    JOIN mails AS m ON m.client_ip = p.client_ip
    LEFT JOIN campaign_bins AS b ON b.campaign = p.campaign AND b.bin = m.bin
    WHERE b.bin IS NULL
    GROUP BY p.campaign
) AS o ON o.campaign = i.campaign
