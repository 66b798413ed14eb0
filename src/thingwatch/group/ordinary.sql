-- ordinary: in how many dialects earlier runs have seen a key; none in a run of its own.
CREATE OR REPLACE TABLE ordinary AS
SELECT key, CAST(0 AS BIGINT) AS hands
FROM keys
WHERE 1 = 0
