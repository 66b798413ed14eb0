-- target_domains: to which domains each campaign went, the largest first.
CREATE OR REPLACE TABLE target_domains AS
SELECT campaign, domain, messages, row_number() OVER (PARTITION BY campaign ORDER BY messages DESC, domain) AS place
FROM (
    SELECT b.campaign AS campaign, split_part(m.recipient, '@', 2) AS domain, count(*) AS messages
    FROM belonging AS b
    JOIN mails AS m ON m.seq = b.seq
    GROUP BY b.campaign, split_part(m.recipient, '@', 2)
) AS counted
