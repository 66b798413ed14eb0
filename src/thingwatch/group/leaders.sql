-- leaders: the first message of each dialect that holds a telling key. Everybody is compared with leaders only: a
-- star, not a clique, so that a bucket of a million messages costs a million comparisons. One leader per dialect,
-- because the first holder of a short phrase may be a stranger who says it by chance.
CREATE OR REPLACE TABLE leaders AS
SELECT h.key AS key, h.dialect AS dialect, h.leader AS leader, b.kind AS kind, b.weight AS weight, b.first_seq AS first_seq
FROM hands AS h
JOIN buckets AS b ON b.key = h.key
WHERE b.weight > 0.5 AND (h.messages > 1 OR h.leader > b.first_seq)
