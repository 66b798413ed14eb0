-- shared_lines: sources behind a carrier's address translation, or in a mobile network: many homes at one address.
CREATE OR REPLACE TABLE shared_lines AS
SELECT DISTINCT client_ip
FROM sightings
WHERE ours AND kind = 'network.type' AND said IN ('shared', 'mobile')
