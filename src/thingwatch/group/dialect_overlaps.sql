-- dialect_overlaps: the share of their messages that two nameless lures write in the same dialects, and how
-- common those dialects are in the mail that is in neither (the larger of the rates found).
CREATE OR REPLACE TABLE dialect_overlaps AS
SELECT
    a.lure AS lure,
    b.lure AS other,
    sum(least(floor(1048576.0 * a.messages / fa.messages) / 1048576, floor(1048576.0 * b.messages / fb.messages) / 1048576)) AS overlap,
    sum(least(floor(1048576.0 * a.messages / fa.messages) / 1048576, floor(1048576.0 * b.messages / fb.messages) / 1048576) * a.others) AS background
FROM lure_dialects AS a
JOIN lure_dialects AS b ON b.dialect = a.dialect
JOIN (SELECT lure, sum(messages) AS messages FROM lure_dialects GROUP BY lure) AS fa ON fa.lure = a.lure
JOIN (SELECT lure, sum(messages) AS messages FROM lure_dialects GROUP BY lure) AS fb ON fb.lure = b.lure
WHERE a.lure < b.lure AND a.messages >= 0.02 * fa.messages AND b.messages >= 0.02 * fb.messages
GROUP BY a.lure, b.lure
