-- merges: pairs of stars that are one lure: most members of one share with the other nearly what they share at
-- home, and no two names are brought under one roof.
CREATE OR REPLACE TABLE merges AS
SELECT l.centre AS centre, l.other AS other
FROM leanings AS l
LEFT JOIN signers AS a ON a.lure = l.centre
LEFT JOIN signers AS b ON b.lure = l.other
WHERE l.members >= $merge_members * l.own_members
    AND l.shared >= $merge_shared * l.own_shared
    AND coalesce(a.name, '') = coalesce(b.name, '')
