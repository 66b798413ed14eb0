-- held: every repeated key of every message, with what sharing it is worth in bits. The worth starts from the
-- shipped background of its kind and falls with the number of hands that write it.
CREATE OR REPLACE TABLE held AS
SELECT
    k.seq AS seq,
    k.key AS key,
    k.kind AS kind,
    m.dialect AS dialect,
    b.first_seq AS first_seq,
    least(w.bits, log2((h.hands + 1.0) / b.hands)) AS weight
FROM keys AS k
JOIN buckets AS b ON b.key = k.key
JOIN mails AS m ON m.seq = k.seq
JOIN kind_weights AS w ON w.kind = k.kind
CROSS JOIN (SELECT count(DISTINCT dialect) AS hands FROM mails) AS h
