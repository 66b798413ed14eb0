-- spokesmen: the messages that stand for each lure of the woken campaigns where today's mail is compared.
CREATE OR REPLACE TABLE spokesmen AS
SELECT k.lure AS lure, k.seq AS seq
FROM known_spokesmen AS k
JOIN known_lures AS n ON n.lure = k.lure
JOIN woken AS w ON w.campaign = n.campaign
JOIN recalled AS r ON r.seq = k.seq
