-- lure_dialects: in which dialects each nameless lure is written, and how much mail outside nameless lures is
-- written so: the background a shared dialect is weighed against.
CREATE OR REPLACE TABLE lure_dialects AS
SELECT d.lure AS lure, d.dialect AS dialect, d.messages AS messages, a.messages - a.asleep - coalesce(n.messages, 0) AS others
FROM (SELECT lure, dialect, count(*) AS messages FROM own_hands GROUP BY lure, dialect) AS d
JOIN dialect_totals AS a ON a.dialect = d.dialect
LEFT JOIN (SELECT dialect, count(*) AS messages FROM own_hands GROUP BY dialect) AS n ON n.dialect = d.dialect
