-- firm: lures with more than $settling_messages messages. Their messages stay where they are: only some of their keys are kept.
CREATE OR REPLACE TABLE firm AS
SELECT h.lure AS lure, h.campaign AS campaign
FROM homes AS h
JOIN (SELECT lure, count(*) AS messages FROM members GROUP BY lure) AS m ON m.lure = h.lure
LEFT JOIN (
    SELECT DISTINCT coalesce(g.now, r.lure) AS lure
    FROM recalled AS r
    LEFT JOIN mergings AS g ON g.lure = r.lure
    WHERE NOT r.stray
) AS r ON r.lure = h.lure
WHERE m.messages > $settling_messages OR r.lure IS NOT NULL
