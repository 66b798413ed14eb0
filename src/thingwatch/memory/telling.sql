-- telling: who of the new messages holds a key first, in all and in each dialect, and what it is worth, in bits, to share
-- it: less, the more dialects all runs have seen it in.
CREATE OR REPLACE TABLE telling AS
SELECT f.key AS key, f.kind AS kind, d.dialect AS dialect, d.leader AS leader, f.leader AS first_seq,
    floor(1024 * least(w.bits, log2((a.hands + 1.0) / f.hands)) + 0.5) / 1024 AS weight
FROM (
    SELECT key, max(kind) AS kind, min(leader) AS leader, count(*) AS hands
    FROM (
        SELECT key, dialect, max(kind) AS kind, min(leader) AS leader
        FROM (
            SELECT key, dialect, min(kind) AS kind, min(seq) AS leader FROM fresh_keys GROUP BY key, dialect
            UNION ALL
            SELECT k.key AS key, k.dialect AS dialect, CAST(NULL AS TINYINT) AS kind, CAST(NULL AS BIGINT) AS leader
            FROM known_phrases AS k
            JOIN (SELECT DISTINCT key FROM fresh_keys) AS h ON h.key = k.key
        ) AS x
        GROUP BY key, dialect
    ) AS p
    GROUP BY key
) AS f
JOIN (SELECT key, dialect, min(seq) AS leader FROM fresh_keys GROUP BY key, dialect) AS d ON d.key = f.key
JOIN kind_weights AS w ON w.kind = f.kind
CROSS JOIN all_mail AS a
