-- commonest_name: messages of each campaign under the name most of them bear.
CREATE OR REPLACE TABLE commonest_name AS
SELECT campaign, max(messages) AS messages
FROM (
    SELECT b.campaign AS campaign, m.name AS name, count(*) AS messages
    FROM belonging AS b
    JOIN mails AS m ON m.seq = b.seq
    WHERE m.name <> ''
    GROUP BY b.campaign, m.name
) AS named
GROUP BY campaign
