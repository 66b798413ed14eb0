-- link_counts: how many messages of each campaign link anywhere, to how many hosts and registered domains.
CREATE OR REPLACE TABLE link_counts AS
SELECT l.campaign AS campaign, l.messages AS messages, h.hosts AS hosts, coalesce(d.domains, 0) AS domains
FROM (
    SELECT b.campaign AS campaign, count(*) AS messages
    FROM belonging AS b
    JOIN details AS d ON d.seq = b.seq
    WHERE array_length(d.hosts) > 0
    GROUP BY b.campaign
) AS l
JOIN (SELECT campaign, count(DISTINCT host) AS hosts FROM link_hosts GROUP BY campaign) AS h ON h.campaign = l.campaign
LEFT JOIN (
    SELECT b.campaign AS campaign, count(DISTINCT k.key) AS domains
    FROM belonging AS b
    JOIN keys AS k ON k.seq = b.seq
    WHERE k.kind = 7
    GROUP BY b.campaign
) AS d ON d.campaign = l.campaign
