-- ordinary: what earlier runs know of a key: in how many dialects it is written, and how many messages hold it that are not
-- at hand; nothing in a run of its own.
CREATE OR REPLACE TABLE ordinary AS
SELECT key, CAST(0 AS BIGINT) AS hands, CAST(0 AS BIGINT) AS unloaded
FROM keys
WHERE 1 = 0
