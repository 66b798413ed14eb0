-- buckets: keys that more than one message holds, with what sharing one is worth in bits. A key nobody else holds
-- says nothing about whom a message belongs to. The worth starts from the shipped background of its kind and falls
-- with the number of hands (dialects) that write it: a phrase of many hands is an ordinary phrase. Whole 1024ths of a
-- bit: their sums come out the same in whatever order many machines add them, here and wherever parts are summed.
CREATE OR REPLACE TABLE buckets AS
SELECT
    b.key AS key,
    b.kind AS kind,
    b.messages AS messages,
    b.first_seq AS first_seq,
    floor(1024 * least(w.bits, log2((t.hands + 1.0) / coalesce(o.hands, b.hands))) + 0.5) / 1024 AS weight
FROM (
    SELECT key, min(kind) AS kind, sum(messages) AS messages, count(*) AS hands, min(leader) AS first_seq
    FROM hands
    GROUP BY key
    HAVING sum(messages) > 1
) AS b
JOIN kind_weights AS w ON w.kind = b.kind
LEFT JOIN ordinary AS o ON o.key = b.key
CROSS JOIN all_mail AS t
