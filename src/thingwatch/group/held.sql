-- held: every repeated key of every message, with its worth.
CREATE OR REPLACE TABLE held AS
SELECT k.seq AS seq, k.key AS key, k.kind AS kind, k.dialect AS dialect, b.weight AS weight
FROM keys AS k
JOIN buckets AS b ON b.key = k.key
