-- leaders: the first message of each dialect that holds a key. Everybody is compared with leaders only: a star,
-- not a clique, so that a bucket of a million messages costs a million comparisons. One leader per dialect,
-- because the first holder of a short phrase may be a stranger who says it by chance.
CREATE OR REPLACE TABLE leaders AS
SELECT key, dialect, min(seq) AS leader
FROM held
GROUP BY key, dialect
