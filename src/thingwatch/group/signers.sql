-- signers: the name behind a lure, where four fifths of its messages carry the same one: the list, the
-- authenticated domain, the host that reports. A name is the name of the hand: two names, two hands.
CREATE OR REPLACE TABLE signers AS
SELECT s.lure AS lure, min(s.name) AS name
FROM (
    SELECT d.lure AS lure, m.name AS name, count(*) AS messages
    FROM drafts AS d
    JOIN mails AS m ON m.seq = d.seq
    WHERE m.name <> ''
    GROUP BY d.lure, m.name
) AS s
JOIN (SELECT lure, count(*) AS messages FROM drafts GROUP BY lure) AS n ON n.lure = s.lure
WHERE s.messages >= 0.8 * n.messages
GROUP BY s.lure
