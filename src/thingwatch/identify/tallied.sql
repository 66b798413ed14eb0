-- tallied: for each source, item and value: how many lines (of strangers: files) say so, and how fresh the freshest is, in tenths. What is
-- as good as certain to speak of another household is not heard at all.
CREATE OR REPLACE TABLE tallied AS
SELECT
    w.client_ip AS client_ip,
    w.item AS item,
    w.value AS value,
    w.family AS family,
    CASE WHEN bool_or(w.foreign_word) THEN count(DISTINCT w.file) ELSE count(*) END AS lines,
    max(w.fresh) AS fresh,
    min(w.age_days) AS age_days,
    max(CAST(round(w.fresh * 10) AS INTEGER)) AS tenths
FROM weighed AS w
LEFT JOIN file_votes AS v ON v.client_ip = w.client_ip AND v.file = w.file AND v.family = w.family
WHERE (NOT w.foreign_word OR v.client_ip IS NOT NULL) AND w.fresh >= $least_fresh
GROUP BY w.client_ip, w.item, w.value, w.family
