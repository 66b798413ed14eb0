-- equal_texts: messages of each campaign whose blurred text had come before.
CREATE OR REPLACE TABLE equal_texts AS
SELECT campaign, sum(messages - 1) AS stopped
FROM (
    SELECT b.campaign AS campaign, d.exact AS exact, count(*) AS messages
    FROM belonging AS b
    JOIN details AS d ON d.seq = b.seq
    WHERE d.exact <> 0
    GROUP BY b.campaign, d.exact
) AS texts
GROUP BY campaign
