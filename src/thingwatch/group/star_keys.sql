-- star_keys: what each star says: the telling keys a fifth of its messages hold, with the part that does.
CREATE OR REPLACE TABLE star_keys AS
SELECT s.centre AS centre, h.key AS key, floor(1048576.0 * count(*) / max(n.messages) + 0.5) / 1048576 AS part
FROM held AS h
JOIN stars AS s ON s.message = h.seq
JOIN (SELECT centre, count(*) AS messages FROM stars GROUP BY centre HAVING count(*) > 1) AS n ON n.centre = s.centre
WHERE h.weight > 0.5
GROUP BY s.centre, h.key
HAVING count(*) >= 0.2 * max(n.messages)
