-- seen: messages of this run that an earlier run has read: who sent what when to whom is the same.
CREATE OR REPLACE TABLE seen AS
SELECT DISTINCT d.seq AS seq
FROM read_details AS d
JOIN known_marks AS k ON k.mark = d.mark
WHERE d.mark <> 0
