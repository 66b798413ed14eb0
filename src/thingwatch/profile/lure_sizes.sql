-- lure_sizes: the lures of reported campaigns, with one message to show: the one in the middle of the run.
CREATE OR REPLACE TABLE lure_sizes AS
SELECT
    b.campaign AS campaign,
    b.lure AS lure,
    count(*) AS messages,
    count(DISTINCT b.client_ip) AS sources,
    min(b.received_at) AS first_seen,
    max(b.received_at) AS last_seen
FROM belonging AS b
WHERE b.lure IS NOT NULL
GROUP BY b.campaign, b.lure
