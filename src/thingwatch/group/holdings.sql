-- holdings: how many telling keys a message holds that others hold too.
CREATE OR REPLACE TABLE holdings AS
SELECT seq, count(*) AS keys
FROM held
WHERE weight > 0.5
GROUP BY seq
