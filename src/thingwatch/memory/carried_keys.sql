-- carried_keys: the keys of the messages carried over.
CREATE OR REPLACE TABLE carried_keys AS
SELECT k.seq AS seq, k.kind AS kind, k.key AS key, k.dialect AS dialect
FROM known_loose_keys AS k
JOIN loaded AS l ON l.seq = k.seq
UNION ALL
SELECT k.seq AS seq, k.kind AS kind, k.key AS key, k.dialect AS dialect
FROM known_young_keys AS k
JOIN woken AS w ON w.campaign = k.campaign
