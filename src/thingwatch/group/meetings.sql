-- meetings: a message and a leader that share a key, with the key's worth. Leaders of different dialects meet
-- at the first holder of all.
CREATE OR REPLACE TABLE meetings AS
SELECT h.seq AS message, l.leader AS leader, h.kind AS kind, h.weight AS weight
FROM held AS h
JOIN leaders AS l ON l.key = h.key AND l.dialect = h.dialect
WHERE h.seq > l.leader AND h.weight > 0.5
UNION ALL
SELECT l.leader AS message, h.first_seq AS leader, h.kind AS kind, h.weight AS weight
FROM leaders AS l
JOIN held AS h ON h.seq = l.leader AND h.key = l.key
WHERE l.leader > h.first_seq AND h.weight > 0.5
