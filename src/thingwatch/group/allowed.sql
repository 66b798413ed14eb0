-- allowed: votes strong enough to follow.
CREATE OR REPLACE TABLE allowed AS
SELECT w.seq AS seq, w.lure AS lure, w.likeness AS likeness
FROM votes AS w
JOIN holdings AS h ON h.seq = w.seq
JOIN mails AS m ON m.seq = w.seq
LEFT JOIN signers AS s ON s.lure = w.lure
WHERE w.likeness >= $min_votes
    AND w.keys >= $fair_part * h.keys
    AND (coalesce(s.name, '') = m.name OR (s.name IS NULL AND NOT m.automatic))
