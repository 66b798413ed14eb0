-- choices: the leader each message is most like, the earliest of equals.
CREATE OR REPLACE TABLE choices AS
SELECT e.message AS message, min(e.leader) AS leader
FROM edges AS e
JOIN (SELECT message, max(likeness) AS likeness FROM edges GROUP BY message) AS best
    ON best.message = e.message AND best.likeness = e.likeness
GROUP BY e.message
