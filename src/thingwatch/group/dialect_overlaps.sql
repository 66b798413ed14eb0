-- dialect_overlaps: the share of their messages that two nameless lures write in the same dialects, and how
-- common those dialects are in the mail that is in neither (the larger of the rates found).
CREATE OR REPLACE TABLE dialect_overlaps AS
SELECT
    a.lure AS lure,
    b.lure AS other,
    sum(least(a.messages * 1.0 / fa.messages, b.messages * 1.0 / fb.messages)) AS overlap,
    sum(least(a.messages * 1.0 / fa.messages, b.messages * 1.0 / fb.messages) * a.others) AS background
FROM lure_dialects AS a
JOIN lure_dialects AS b ON b.dialect = a.dialect
JOIN (SELECT lure, sum(messages) AS messages FROM lure_dialects GROUP BY lure) AS fa ON fa.lure = a.lure
JOIN (SELECT lure, sum(messages) AS messages FROM lure_dialects GROUP BY lure) AS fb ON fb.lure = b.lure
WHERE a.lure < b.lure AND a.messages >= 0.02 * fa.messages AND b.messages >= 0.02 * fb.messages
GROUP BY a.lure, b.lure
