-- star_keys: what each star says: the telling keys a fifth of its messages hold, with the part that does.
CREATE OR REPLACE TABLE star_keys AS
SELECT s.centre AS centre, h.key AS key, count(*) * 1.0 / max(n.messages) AS part
FROM held AS h
JOIN stars AS s ON s.message = h.seq
JOIN (SELECT centre, count(*) AS messages FROM stars GROUP BY centre HAVING count(*) > 1) AS n ON n.centre = s.centre
WHERE h.weight > 0.5
GROUP BY s.centre, h.key
HAVING count(*) >= 0.2 * max(n.messages)
