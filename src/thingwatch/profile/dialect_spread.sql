-- dialect_spread: how many sources of a campaign write in each of its dialects.
CREATE OR REPLACE TABLE dialect_spread AS
SELECT b.campaign AS campaign, m.dialect AS dialect, count(*) AS messages, count(DISTINCT b.client_ip) AS sources
FROM belonging AS b
JOIN mails AS m ON m.seq = b.seq
GROUP BY b.campaign, m.dialect
