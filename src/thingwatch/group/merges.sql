-- merges: pairs of stars that are one lure: they say the same, and no two names are brought under one roof.
CREATE OR REPLACE TABLE merges AS
SELECT k.centre AS centre, k.other AS other
FROM kinships AS k
LEFT JOIN signers AS a ON a.lure = k.centre
LEFT JOIN signers AS b ON b.lure = k.other
WHERE k.shared >= $kinship * least(k.own, k.others)
    AND coalesce(a.name, '') = coalesce(b.name, '')
