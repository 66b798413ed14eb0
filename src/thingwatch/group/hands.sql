-- hands: how often each key is held in each dialect, and by whom first.
CREATE OR REPLACE TABLE hands AS
SELECT key, dialect, min(kind) AS kind, count(*) AS messages, min(seq) AS leader
FROM keys
GROUP BY key, dialect
