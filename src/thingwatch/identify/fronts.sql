-- fronts: what the same scans, chosen files left out, say of the sources themselves.
CREATE OR REPLACE TABLE fronts AS
SELECT
    s.client_ip AS client_ip,
    max(CASE WHEN s.value = 0 THEN 1 ELSE 0 END) AS thing,
    max(CASE WHEN s.value = 2 THEN 0 ELSE 1 END) AS answered
FROM sightings AS s
JOIN spans AS p ON p.client_ip = s.client_ip
LEFT JOIN chosen_files AS c ON c.file = s.file
WHERE s.ours AND s.item = 'front' AND c.file IS NULL
GROUP BY s.client_ip
