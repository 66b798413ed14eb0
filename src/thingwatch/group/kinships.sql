-- kinships: how much two stars say the same, as the part of the smaller saying. A chain of strangers hangs on a few
-- odd mails; one lure in two stars (in two dialects, say) is shared by nearly all members of both. A key that many
-- stars hold is an ordinary phrase and relates none of them.
CREATE OR REPLACE TABLE kinships AS
SELECT a.centre AS centre, b.centre AS other, sum(least(a.part, b.part)) AS shared, min(ta.part) AS own, min(tb.part) AS others
FROM star_keys AS a
JOIN star_keys AS b ON b.key = a.key
JOIN (SELECT key FROM star_keys GROUP BY key HAVING count(*) BETWEEN 2 AND $max_stars) AS few ON few.key = a.key
JOIN (SELECT centre, sum(part) AS part FROM star_keys GROUP BY centre) AS ta ON ta.centre = a.centre
JOIN (SELECT centre, sum(part) AS part FROM star_keys GROUP BY centre) AS tb ON tb.centre = b.centre
WHERE a.centre < b.centre
GROUP BY a.centre, b.centre
HAVING count(*) >= 3
