-- first_of_net: what blocking a network after a campaign's first mail from it would stop of the campaign, and of
-- all other mail that comes from there later.
CREATE OR REPLACE TABLE first_of_net AS
SELECT
    f.campaign AS campaign,
    f.kind AS kind,
    sum(f.messages - 1) AS stopped,
    sum(greatest(coalesce(o.messages, 0) - (f.messages - 1), 0)) AS collateral
FROM (
    SELECT b.campaign AS campaign, n.kind AS kind, n.net AS net, min(b.received_at) AS first_seen, count(*) AS messages
    FROM belonging AS b
    JOIN nets AS n ON n.client_ip = b.client_ip
    JOIN large AS l ON l.campaign = b.campaign
    GROUP BY b.campaign, n.kind, n.net
) AS f
LEFT JOIN (
    SELECT f.campaign AS campaign, f.kind AS kind, f.net AS net, count(*) AS messages
    FROM (
        SELECT b.campaign AS campaign, n.kind AS kind, n.net AS net, min(b.received_at) AS first_seen
        FROM belonging AS b
        JOIN nets AS n ON n.client_ip = b.client_ip
        JOIN large AS l ON l.campaign = b.campaign
        GROUP BY b.campaign, n.kind, n.net
    ) AS f
    JOIN net_times AS t ON t.kind = f.kind AND t.net = f.net AND t.received_at > f.first_seen
    GROUP BY f.campaign, f.kind, f.net
) AS o ON o.campaign = f.campaign AND o.kind = f.kind AND o.net = f.net
GROUP BY f.campaign, f.kind
