-- votes: for every message, how strongly its keys speak for a lure, by the lure's name.
CREATE OR REPLACE TABLE votes AS
SELECT v.seq AS seq, n.lure AS lure, v.keys AS keys, v.likeness AS likeness
FROM found_votes AS v
JOIN namings AS n ON n.found = v.lure
