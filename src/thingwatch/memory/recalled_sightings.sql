-- recalled_sightings: what earlier runs' evidence says of the sources of this run's campaigns, and of their neighbours. A
-- file given again takes the place of its earlier reading; a source of a sleeping campaign is nobody's neighbour.
CREATE OR REPLACE TABLE recalled_sightings AS
SELECT
    k.client_ip AS client_ip, k.item AS item, k.value AS value, k.seen_at AS seen_at, k.kind AS kind,
    CASE WHEN w.client_ip IS NULL THEN k.said ELSE coalesce(k.said, '') END AS said, k.port AS port,
    CASE WHEN w.client_ip IS NULL THEN k.source ELSE coalesce(k.source, 'an earlier run') END AS source, k.file AS file,
    CASE WHEN w.client_ip IS NULL THEN k.place ELSE coalesce(k.place, 'its text not kept') END AS place,
    k.device_class AS device_class, k.vendor AS vendor, k.model AS model, k.confidence AS confidence,
    w.client_ip IS NOT NULL AS ours
FROM known_sightings AS k
LEFT JOIN superseded AS x ON x.file = k.file
LEFT JOIN wanted AS w ON w.client_ip = k.client_ip
LEFT JOIN (SELECT DISTINCT split_part(client_ip, '.', 1) AS a, split_part(client_ip, '.', 2) AS b FROM wanted) AS n
    ON n.a = split_part(k.client_ip, '.', 1) AND n.b = split_part(k.client_ip, '.', 2)
WHERE x.file IS NULL AND (w.client_ip IS NOT NULL OR (k.item = 'front' AND NOT k.ours AND n.a IS NOT NULL))
