-- spans: when each source sent, and for how many days a line of its kind keeps its household.
CREATE OR REPLACE TABLE spans AS
SELECT
    c.client_ip AS client_ip,
    min(c.first_seen) AS first_seen,
    max(c.last_seen) AS last_seen,
    min(CASE
        WHEN l.client_ip IS NOT NULL THEN $shared_days
        WHEN n.ptr_class = 'server' THEN $static_days
        WHEN n.ptr_class = 'generic' THEN $cable_days
        ELSE $dynamic_days
    END) AS tau_days
FROM campaign_sources AS c
JOIN verdicts AS j ON j.campaign = c.campaign AND j.verdict <> 'bulk'
JOIN named_sources AS n ON n.client_ip = c.client_ip
LEFT JOIN shared_lines AS l ON l.client_ip = c.client_ip
GROUP BY c.client_ip
