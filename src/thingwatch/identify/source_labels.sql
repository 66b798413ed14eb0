-- source_labels: what the front of each source is, by its freshest and surest text; a maker's own name goes first.
CREATE OR REPLACE TABLE source_labels AS
SELECT client_ip, device_class, vendor, model, confidence
FROM (
    SELECT
        client_ip, device_class, vendor, model, confidence * fresh AS confidence,
        row_number() OVER (
            PARTITION BY client_ip
            ORDER BY
                CASE WHEN vendor <> '' THEN 0 ELSE 1 END, confidence * fresh DESC, CASE WHEN model <> '' THEN 0 ELSE 1 END,
                device_class, vendor, model, place
        ) AS turn
    FROM weighed
    WHERE item = 'front' AND device_class IS NOT NULL
) AS ranked
WHERE turn = 1
