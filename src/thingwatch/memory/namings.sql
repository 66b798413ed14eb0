-- namings: the name of every lure found that new mail is in: that of the oldest lure which claims it, else its own, or its
-- first new message's where an old lure has that name.
CREATE OR REPLACE TABLE namings AS
SELECT f.found AS found, coalesce(c.lure, CASE WHEN k.lure IS NULL AND r.seq IS NULL THEN f.found ELSE f.first_seq END) AS lure
FROM (
    SELECT m.lure AS found, min(m.seq) AS first_seq
    FROM members AS m
    LEFT JOIN recalled AS r ON r.seq = m.seq
    WHERE r.seq IS NULL
    GROUP BY m.lure
) AS f
LEFT JOIN (SELECT found, min(lure) AS lure FROM claims GROUP BY found) AS c ON c.found = f.found
LEFT JOIN known_lures AS k ON k.lure = f.found AND k.firm
LEFT JOIN recalled AS r ON r.seq = f.found
