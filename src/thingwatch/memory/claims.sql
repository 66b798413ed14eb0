-- claims: the lure found in which most of an old lure's spokesmen stand, if at least half of those placed do.
CREATE OR REPLACE TABLE claims AS
SELECT lure, found
FROM (
    SELECT
        lure, found, messages, sum(messages) OVER (PARTITION BY lure) AS placed,
        row_number() OVER (PARTITION BY lure ORDER BY messages DESC, found) AS place
    FROM (
        SELECT s.lure AS lure, m.lure AS found, count(*) AS messages
        FROM spokesmen AS s
        JOIN members AS m ON m.seq = s.seq
        GROUP BY s.lure, m.lure
    ) AS counted
) AS ranked
WHERE place = 1 AND 2 * messages >= placed
