-- lure_links: for each nameless lure, the hosts, domains and link grammars a tenth of its messages carry and
-- that mostly stand in nameless lures.
CREATE OR REPLACE TABLE lure_links AS
SELECT l.lure AS lure, l.key AS key, l.messages * 1.0 / f.messages AS part
FROM (
    SELECT o.lure AS lure, h.key AS key, count(*) AS messages
    FROM held AS h
    JOIN own_hands AS o ON o.seq = h.seq
    WHERE h.kind IN (6, 7, 8, 9)
    GROUP BY o.lure, h.key
) AS l
JOIN (SELECT lure, count(*) AS messages FROM own_hands GROUP BY lure) AS f ON f.lure = l.lure
JOIN (
    SELECT h.key AS key, count(*) AS messages
    FROM held AS h
    JOIN own_hands AS o ON o.seq = h.seq
    WHERE h.kind IN (6, 7, 8, 9)
    GROUP BY h.key
) AS inside ON inside.key = l.key
JOIN buckets AS b ON b.key = l.key
WHERE l.messages >= 0.1 * f.messages AND inside.messages >= 0.95 * b.messages
