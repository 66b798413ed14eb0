-- signature_keys: for each reported campaign the keys a fiftieth of it holds, with the odds of holding them inside
-- and outside, and a message that shows them.
CREATE OR REPLACE TABLE signature_keys AS
SELECT i.campaign AS campaign, i.key AS key, i.kind AS kind, i.messages AS messages, b.messages - i.messages AS others, i.example AS example,
    log2(((i.messages + 0.1) / (r.messages + 1.0)) / ((b.messages - i.messages + 0.5) / (t.messages - r.messages + 1.0))) AS weight
FROM (
    SELECT b.campaign AS campaign, h.key AS key, min(h.kind) AS kind, count(*) AS messages, min(h.seq) AS example
    FROM belonging AS b
    JOIN held AS h ON h.seq = b.seq
    GROUP BY b.campaign, h.key
    HAVING count(*) > 1
) AS i
JOIN reported AS r ON r.campaign = i.campaign
JOIN buckets AS b ON b.key = i.key
CROSS JOIN (SELECT count(*) AS messages FROM mails) AS t
WHERE i.messages >= 0.02 * r.messages
