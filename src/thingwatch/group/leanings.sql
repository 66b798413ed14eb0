-- leanings: how much the members of one star share with another, against what they share with their own. A chain
-- of strangers hangs on a few members; one lure in two stars is shared by all of them.
CREATE OR REPLACE TABLE leanings AS
SELECT t.centre AS centre, t.other AS other, t.shared AS shared, t.members AS members, own.shared AS own_shared, own.members AS own_members
FROM (
    SELECT a.centre AS centre, b.centre AS other, sum(p.shared) AS shared, count(DISTINCT p.message) AS members
    FROM pairs AS p
    JOIN stars AS a ON a.message = p.message
    JOIN stars AS b ON b.message = p.leader
    GROUP BY a.centre, b.centre
) AS t
JOIN (
    SELECT a.centre AS centre, sum(p.shared) AS shared, count(DISTINCT p.message) AS members
    FROM pairs AS p
    JOIN stars AS a ON a.message = p.message
    JOIN stars AS b ON b.message = p.leader
    WHERE a.centre = b.centre
    GROUP BY a.centre
) AS own ON own.centre = t.centre
WHERE t.centre <> t.other
