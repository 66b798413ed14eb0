-- reported: campaigns large enough to report, with the figures every section starts from.
CREATE OR REPLACE TABLE reported AS
SELECT
    c.campaign AS campaign,
    count(*) AS messages,
    count(DISTINCT m.client_ip) AS sources,
    min(m.received_at) AS first_seen,
    max(m.received_at) AS last_seen,
    count(DISTINCT m.dialect) AS dialects,
    count(DISTINCT m.recipient) AS recipients,
    count(DISTINCT m.name) AS names,
    sum(CASE WHEN m.signer <> '' THEN 1 ELSE 0 END) AS signed,
    sum(CASE WHEN m.signer = '' AND (m.spf IN ('fail', 'softfail') OR m.dkim = 'fail' OR m.dmarc = 'fail') THEN 1 ELSE 0 END) AS failed,
    sum(CASE WHEN m.signer = '' AND m.spf = '' AND m.dkim = '' AND m.dmarc = '' THEN 1 ELSE 0 END) AS unchecked,
    sum(CASE WHEN m.list_id <> '' THEN 1 ELSE 0 END) AS listed,
    sum(CASE WHEN m.automatic THEN 1 ELSE 0 END) AS automatic,
    sum(CASE WHEN m.reply OR m.forward THEN 1 ELSE 0 END) AS answers,
    sum(CASE WHEN m.logged THEN 1 ELSE 0 END) AS logged
FROM campaign_members AS c
JOIN mails AS m ON m.seq = c.seq
GROUP BY c.campaign
HAVING count(*) >= $min_messages
