-- frozen: messages whose lure an earlier run settled; none in a run of its own.
CREATE OR REPLACE TABLE frozen AS
SELECT seq, lure
FROM members
WHERE 1 = 0
