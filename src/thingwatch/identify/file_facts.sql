-- file_facts: what each file of evidence spoke of.
CREATE OR REPLACE TABLE file_facts AS
SELECT
    file,
    count(DISTINCT client_ip) AS addresses,
    count(DISTINCT CASE WHEN ours THEN client_ip END) AS of_sources,
    count(DISTINCT CASE WHEN item = 'front' THEN client_ip END) AS fronts,
    count(DISTINCT CASE WHEN item = 'front' AND ours THEN client_ip END) AS fronts_of_sources,
    min(seen_at) AS first_seen,
    max(seen_at) AS last_seen
FROM sightings
GROUP BY file
