-- stars: every message that chose, with the centre it points at. A leader chosen by two or more is the centre of
-- its own star whatever it chose itself: whether two stars are one lure is for all their members to say.
CREATE OR REPLACE TABLE stars AS
SELECT message, min(centre) AS centre
FROM (
    SELECT c.message AS message, CASE WHEN f.leader IS NULL THEN c.leader ELSE c.message END AS centre
    FROM choices AS c
    LEFT JOIN (SELECT leader FROM choices GROUP BY leader HAVING count(*) > 1) AS f ON f.leader = c.message
    UNION ALL
    SELECT c.leader AS message, c.leader AS centre
    FROM choices AS c
    LEFT JOIN choices AS own ON own.message = c.leader
    WHERE own.message IS NULL
) AS pointed
GROUP BY message
