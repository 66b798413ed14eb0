-- held: every repeated key of the messages at hand; of remembered ones those of links and files, and of spokesmen all.
CREATE OR REPLACE TABLE held AS
SELECT seq, key, kind, dialect, weight FROM found_held WHERE kind NOT IN (6, 7, 8, 9)
UNION ALL
SELECT k.seq AS seq, k.key AS key, k.kind AS kind, k.dialect AS dialect, b.weight AS weight
FROM keys AS k
JOIN buckets AS b ON b.key = k.key
WHERE k.kind IN (6, 7, 8, 9)
