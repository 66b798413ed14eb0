-- target_most: the most messages of a campaign that went to one recipient.
CREATE OR REPLACE TABLE target_most AS
SELECT campaign, max(messages) AS messages
FROM (
    SELECT b.campaign AS campaign, m.recipient AS recipient, count(*) AS messages
    FROM belonging AS b
    JOIN mails AS m ON m.seq = b.seq
    WHERE m.recipient <> ''
    GROUP BY b.campaign, m.recipient
) AS counted
GROUP BY campaign
