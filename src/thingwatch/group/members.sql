-- members: the lure each message is in. A message goes where its keys speak loudest, if they are loud enough and a
-- fair part of what it holds; one whose keys do not speak for its draft is let go (the chain guard). A lure under
-- one name takes nobody who bears another, or none.
CREATE OR REPLACE TABLE members AS
SELECT w.seq AS seq, min(w.lure) AS lure, max(w.likeness) AS likeness
FROM allowed AS w
JOIN (SELECT seq, max(likeness) AS likeness FROM allowed GROUP BY seq) AS best
    ON best.seq = w.seq AND best.likeness = w.likeness
GROUP BY w.seq
