-- keys: the keys this run looks at: all of its own messages and of those carried over, of the remembered the linked.
CREATE OR REPLACE TABLE keys AS
SELECT seq, kind, key, dialect FROM fresh_keys
UNION ALL
SELECT seq, kind, key, dialect FROM carried_keys
UNION ALL
SELECT seq, kind, key, dialect FROM linked
