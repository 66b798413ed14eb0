-- net_times: all mail from networks that large campaigns came from.
CREATE OR REPLACE TABLE net_times AS
SELECT n.kind AS kind, n.net AS net, m.received_at AS received_at
FROM mails AS m
JOIN nets AS n ON n.client_ip = m.client_ip
JOIN (
    SELECT DISTINCT n.kind AS kind, n.net AS net
    FROM campaign_sources AS s
    JOIN large AS l ON l.campaign = s.campaign
    JOIN nets AS n ON n.client_ip = s.client_ip
) AS w ON w.kind = n.kind AND w.net = n.net
WHERE m.received_at IS NOT NULL
