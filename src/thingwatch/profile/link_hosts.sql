-- link_hosts: the hosts each lure leads to, with the messages that do.
CREATE OR REPLACE TABLE link_hosts AS
SELECT campaign, lure, host, count(*) AS messages
FROM (
    SELECT b.campaign AS campaign, b.lure AS lure, unnest(d.hosts) AS host
    FROM belonging AS b
    JOIN details AS d ON d.seq = b.seq
) AS linked
GROUP BY campaign, lure, host
