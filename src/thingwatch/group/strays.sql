-- strays: single mails that no lure holds, attached to the nameless campaign whose hand, clock and pool they share.
-- Each trait is capped; the pool counts by how much more often its addresses send this campaign than other mail.
CREATE OR REPLACE TABLE strays AS
SELECT s.seq AS seq, min(s.campaign) AS campaign, max(s.likeness) AS likeness
FROM stray_scores AS s
JOIN (SELECT seq, max(likeness) AS likeness FROM stray_scores GROUP BY seq) AS best
    ON best.seq = s.seq AND best.likeness = s.likeness
WHERE s.likeness >= $stray_bits
GROUP BY s.seq
