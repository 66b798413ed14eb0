-- buckets: keys that more than one message holds. A key nobody else holds says nothing about whom a message
-- belongs to. hands: in how many dialects the key is written; a phrase of many hands is an ordinary phrase.
CREATE OR REPLACE TABLE buckets AS
SELECT k.key AS key, min(k.kind) AS kind, count(*) AS messages, count(DISTINCT m.dialect) AS hands, min(k.seq) AS first_seq
FROM keys AS k
JOIN mails AS m ON m.seq = k.seq
GROUP BY k.key
HAVING count(*) > 1
