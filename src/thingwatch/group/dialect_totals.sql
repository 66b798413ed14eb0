-- dialect_totals: how much mail is written in each dialect, and how much of it by nameless lures that take no part in
-- this run (none, unless the run continues an earlier one).
CREATE OR REPLACE TABLE dialect_totals AS
SELECT dialect, count(*) AS messages, CAST(0 AS BIGINT) AS asleep
FROM mails
GROUP BY dialect
