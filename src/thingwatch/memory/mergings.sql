-- mergings: old lures that new mail shows to be one.
CREATE OR REPLACE TABLE mergings AS
SELECT c.lure AS lure, n.lure AS now
FROM claims AS c
JOIN namings AS n ON n.found = c.found
WHERE n.lure <> c.lure
