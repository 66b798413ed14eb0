-- old_lines: files of which many lines about sources are so far from their mail that they hardly speak of the same
-- household. A few such lines are in every collection.
CREATE OR REPLACE TABLE old_lines AS
SELECT file, addresses, lines
FROM (
    SELECT
        file,
        count(DISTINCT CASE WHEN fresh < 0.1 THEN client_ip END) AS addresses,
        sum(CASE WHEN fresh < 0.1 THEN 1 ELSE 0 END) AS lines,
        count(*) AS all_lines
    FROM weighed
    GROUP BY file
) AS x
WHERE lines >= $many_old AND lines >= 0.2 * all_lines
