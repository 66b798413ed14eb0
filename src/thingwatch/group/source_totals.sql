-- source_totals: how much each source sent, how much of it under a name, and how much in nameless lures that take no
-- part in this run (none, unless the run continues an earlier one).
CREATE OR REPLACE TABLE source_totals AS
SELECT client_ip, count(*) AS messages, sum(CASE WHEN name <> '' THEN 1 ELSE 0 END) AS named, CAST(0 AS BIGINT) AS asleep
FROM mails
WHERE client_ip IS NOT NULL
GROUP BY client_ip
