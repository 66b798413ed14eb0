-- shown_keys: the keys of each campaign worth showing, those that carry most of it first.
CREATE OR REPLACE TABLE shown_keys AS
SELECT campaign, key, kind, weight, messages, others, example, place
FROM (
    SELECT campaign, key, kind, weight, messages, others, example, row_number() OVER (PARTITION BY campaign ORDER BY messages * weight DESC, key) AS place
    FROM signature_keys
    WHERE weight > 0
) AS ranked
WHERE place <= 48
