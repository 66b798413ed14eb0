-- proofs: the line behind each vote, so that a reader can walk back to it.
CREATE OR REPLACE TABLE proofs AS
SELECT client_ip, item, value, family, age_days, seen_at, kind, said, source, file, place
FROM (
    SELECT
        v.client_ip AS client_ip, v.item AS item, v.value AS value, v.family AS family, w.age_days AS age_days,
        w.seen_at AS seen_at, w.kind AS kind, w.said AS said, w.source AS source, w.file AS file, w.place AS place,
        row_number() OVER (PARTITION BY v.client_ip, v.item ORDER BY w.fresh DESC, w.file, w.place, w.kind, w.said) AS turn
    FROM votes AS v
    JOIN weighed AS w ON w.client_ip = v.client_ip AND w.item = v.item AND w.value = v.value
    LEFT JOIN file_votes AS f ON f.client_ip = w.client_ip AND f.file = w.file AND f.family = w.family
    WHERE NOT w.foreign_word OR f.client_ip IS NOT NULL
) AS ranked
WHERE turn = 1
