-- source_totals: how much each source at hand sent in all runs, how much of it under a name, and how much in nameless
-- lures that take no part in this run.
CREATE OR REPLACE TABLE source_totals AS
SELECT t.client_ip AS client_ip, CAST(sum(t.messages) AS BIGINT) AS messages, CAST(sum(t.named) AS BIGINT) AS named, CAST(sum(t.asleep) AS BIGINT) AS asleep
FROM (
    SELECT client_ip, messages, named, 0 AS asleep FROM known_sources
    UNION ALL
    SELECT client_ip, count(*) AS messages, sum(CASE WHEN name <> '' THEN 1 ELSE 0 END) AS named, 0 AS asleep
    FROM fresh
    WHERE client_ip IS NOT NULL
    GROUP BY client_ip
    UNION ALL
    SELECT client_ip, 0 AS messages, 0 AS named, messages AS asleep FROM asleep WHERE client_ip IS NOT NULL
) AS t
JOIN (SELECT DISTINCT client_ip FROM mails WHERE client_ip IS NOT NULL) AS m ON m.client_ip = t.client_ip
GROUP BY t.client_ip
