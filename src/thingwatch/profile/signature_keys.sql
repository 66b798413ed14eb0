-- signature_keys: for each reported campaign the keys a fiftieth of it holds, as its lures' signatures count them.
CREATE OR REPLACE TABLE signature_keys AS
SELECT c.campaign AS campaign, s.key AS key, min(s.kind) AS kind, sum(s.messages) AS messages, max(b.messages) - sum(s.messages) AS others,
    floor(1024 * log2(
        ((sum(s.messages) + 0.1) / (max(r.messages) + 1.0))
        / ((greatest(max(b.messages) - sum(s.messages), 0) + 0.5) / (max(t.messages) - max(r.messages) + 1.0))
    ) + 0.5) / 1024 AS weight
FROM signatures AS s
JOIN said AS c ON c.lure = s.lure
JOIN reported AS r ON r.campaign = c.campaign
JOIN buckets AS b ON b.key = s.key
CROSS JOIN (SELECT sum(messages) AS messages FROM dialect_totals) AS t
GROUP BY c.campaign, s.key
HAVING sum(s.messages) >= 0.02 * max(r.messages)
