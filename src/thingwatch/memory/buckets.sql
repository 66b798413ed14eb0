-- buckets: the keys found, with how many messages of all runs hold them where that is remembered, and the keys of woken
-- campaigns that no new mail holds.
CREATE OR REPLACE TABLE buckets AS
SELECT b.key AS key, b.kind AS kind, coalesce(t.messages, b.messages) AS messages, b.first_seq AS first_seq, b.weight AS weight
FROM found_buckets AS b
LEFT JOIN key_totals AS t ON t.key = b.key
UNION ALL
SELECT t.key AS key, t.kind AS kind, t.messages AS messages, CAST(0 AS BIGINT) AS first_seq, 0.0 AS weight
FROM key_totals AS t
LEFT JOIN found_buckets AS b ON b.key = t.key
WHERE b.key IS NULL AND t.messages > 1
