-- dialect_totals: how much mail of all runs is written in each dialect, and how much of it by nameless lures that take
-- no part in this run.
CREATE OR REPLACE TABLE dialect_totals AS
SELECT dialect, CAST(sum(messages) AS BIGINT) AS messages, CAST(sum(asleep) AS BIGINT) AS asleep
FROM (
    SELECT dialect, messages, 0 AS asleep FROM known_dialects
    UNION ALL
    SELECT dialect, count(*) AS messages, 0 AS asleep FROM fresh GROUP BY dialect
    UNION ALL
    SELECT dialect, 0 AS messages, messages AS asleep FROM asleep
) AS t
GROUP BY dialect
