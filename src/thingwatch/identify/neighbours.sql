-- neighbours: addresses that sent none of the campaigns' mail, in the blocks of 65,536 where a source stands: what the
-- same scans say of them. Files made of chosen addresses are no sample of anybody.
CREATE OR REPLACE TABLE neighbours AS
SELECT
    s.client_ip AS client_ip,
    max(CASE WHEN s.value = 0 THEN 1 ELSE 0 END) AS thing,
    max(CASE WHEN s.value = 2 THEN 0 ELSE 1 END) AS answered
FROM sightings AS s
JOIN (
    SELECT DISTINCT split_part(client_ip, '.', 1) AS a, split_part(client_ip, '.', 2) AS b
    FROM spans
) AS n ON n.a = split_part(s.client_ip, '.', 1) AND n.b = split_part(s.client_ip, '.', 2)
LEFT JOIN chosen_files AS c ON c.file = s.file
WHERE NOT s.ours AND s.item = 'front' AND c.file IS NULL
GROUP BY s.client_ip
