-- limit_totals: the same over all mail.
CREATE OR REPLACE TABLE limit_totals AS
SELECT l.per_hour AS per_hour, CAST(sum(CASE WHEN h.messages > l.per_hour THEN h.messages - l.per_hour ELSE 0 END) AS BIGINT) AS stopped
FROM (SELECT * FROM (VALUES (100), (10), (3)) AS v(per_hour)) AS l
CROSS JOIN hour_counts AS h
GROUP BY l.per_hour
