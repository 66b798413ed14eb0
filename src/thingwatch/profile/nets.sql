-- nets: the /24 (or /64) and the announced network (ASN) of every address.
CREATE OR REPLACE TABLE nets AS
SELECT client_ip, 'net' AS kind, prefix AS net FROM addresses
UNION ALL
SELECT client_ip, 'asn' AS kind, CAST(asn AS VARCHAR) AS net FROM addresses WHERE asn > 0
