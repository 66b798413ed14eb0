-- limits: for each campaign and per-address limit, the messages beyond the limit in their clock hour. Mail beyond
-- the limit is shared out among what the address sent in that hour.
CREATE OR REPLACE TABLE limits AS
SELECT campaign, per_hour, CAST(round(sum(floor(1048576.0 * beyond * mine / messages) / 1048576)) AS BIGINT) AS stopped
FROM (
    SELECT b.campaign AS campaign, l.per_hour AS per_hour, b.messages AS mine, h.messages AS messages, h.messages - l.per_hour AS beyond
    FROM (
        SELECT campaign, client_ip, received_at // 3600000000 AS hour, count(*) AS messages
        FROM belonging
        WHERE client_ip IS NOT NULL AND received_at IS NOT NULL
        GROUP BY campaign, client_ip, received_at // 3600000000
    ) AS b
    JOIN hour_counts AS h ON h.client_ip = b.client_ip AND h.hour = b.hour
    JOIN (SELECT * FROM (VALUES (100), (10), (3)) AS v(per_hour)) AS l ON h.messages > l.per_hour
) AS over
GROUP BY campaign, per_hour
