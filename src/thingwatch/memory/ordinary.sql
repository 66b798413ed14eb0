-- ordinary: in how many dialects all runs have seen the keys at hand, where earlier ones saw them repeated.
CREATE OR REPLACE TABLE ordinary AS
SELECT p.key AS key, count(*) AS hands
FROM (
    SELECT k.key AS key, k.dialect AS dialect
    FROM known_phrases AS k
    JOIN (SELECT DISTINCT key FROM keys) AS h ON h.key = k.key
    UNION
    SELECT key, dialect FROM keys
) AS p
JOIN (SELECT DISTINCT key FROM known_phrases) AS k ON k.key = p.key
GROUP BY p.key
