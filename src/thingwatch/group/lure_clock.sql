-- lure_clock: messages of each nameless lure per ten minutes.
CREATE OR REPLACE TABLE lure_clock AS
SELECT lure, bin, count(*) AS messages
FROM (SELECT lure, bin FROM own_hands WHERE bin IS NOT NULL) AS timed
GROUP BY lure, bin
