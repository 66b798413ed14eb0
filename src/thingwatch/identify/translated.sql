-- translated: sources behind a carrier's address translation, by a list that says so.
CREATE OR REPLACE TABLE translated AS
SELECT DISTINCT client_ip
FROM sightings
WHERE ours AND kind = 'network.type' AND said = 'shared'
