-- contradicting: addresses of which one file names three makers or more at one port.
CREATE OR REPLACE TABLE contradicting AS
SELECT file, count(*) AS addresses, sum(lines) AS lines
FROM (
    SELECT file, client_ip, port, count(*) AS lines
    FROM sightings
    WHERE ours AND vendor <> ''
    GROUP BY file, client_ip, port
    HAVING count(DISTINCT lower(vendor)) >= 3
) AS x
GROUP BY file
