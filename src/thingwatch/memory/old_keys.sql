-- old_keys: the keys of messages that are looked at again only where new mail is like them.
CREATE OR REPLACE TABLE old_keys AS
SELECT k.seq AS seq, k.key AS key, k.dialect AS dialect
FROM known_loose_keys AS k
JOIN (SELECT DISTINCT key FROM fresh_keys) AS f ON f.key = k.key
LEFT JOIN recent AS r ON r.seq = k.seq
WHERE r.seq IS NULL
UNION ALL
SELECT k.seq AS seq, k.key AS key, k.dialect AS dialect
FROM known_young_keys AS k
JOIN (SELECT DISTINCT key FROM fresh_keys) AS f ON f.key = k.key
