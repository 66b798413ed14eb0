-- ordinary: in how many dialects all runs have seen the keys at hand, where earlier ones saw them repeated; and how many
-- messages hold them that are neither at hand nor in a firm lure, which is counted by its spokesmen.
CREATE OR REPLACE TABLE ordinary AS
SELECT
    p.key AS key, count(*) AS hands,
    CAST(greatest(sum(p.messages) - max(coalesce(c.messages, 0)) - max(coalesce(f.messages, 0)), 0) AS BIGINT) AS unloaded
FROM (
    SELECT key, dialect, sum(messages) AS messages
    FROM (
        SELECT k.key AS key, k.dialect AS dialect, k.messages AS messages
        FROM known_phrases AS k
        JOIN (SELECT DISTINCT key FROM keys) AS h ON h.key = k.key
        UNION ALL
        SELECT key, dialect, 0 AS messages FROM keys GROUP BY key, dialect
    ) AS x
    GROUP BY key, dialect
) AS p
LEFT JOIN (SELECT key, count(*) AS messages FROM carried_keys GROUP BY key) AS c ON c.key = p.key
LEFT JOIN (
    SELECT s.key AS key, sum(s.messages) AS messages
    FROM known_signatures AS s
    JOIN known_lures AS n ON n.lure = s.lure AND n.firm
    GROUP BY s.key
) AS f ON f.key = p.key
GROUP BY p.key
HAVING sum(p.messages) > 0
