-- shown_keys: the keys of each campaign worth showing, those that carry most of it first, with a message that
-- holds each.
CREATE OR REPLACE TABLE shown_keys AS
SELECT k.campaign AS campaign, k.key AS key, k.kind AS kind, k.weight AS weight, k.messages AS messages, k.others AS others, k.place AS place,
    min(h.seq) AS example
FROM (
    SELECT campaign, key, kind, weight, messages, others, row_number() OVER (PARTITION BY campaign ORDER BY messages * weight DESC, key) AS place
    FROM signature_keys
    WHERE weight > 0
) AS k
JOIN held AS h ON h.key = k.key
JOIN belonging AS b ON b.seq = h.seq AND b.campaign = k.campaign
WHERE k.place <= 48
GROUP BY k.campaign, k.key, k.kind, k.weight, k.messages, k.others, k.place
