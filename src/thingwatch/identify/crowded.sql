-- crowded: addresses about which one file says the same kind of thing again and again; its lines count once.
CREATE OR REPLACE TABLE crowded AS
SELECT file, count(*) AS addresses, sum(lines) AS lines
FROM (
    SELECT s.file AS file, s.client_ip AS client_ip, s.item AS item, count(*) AS lines
    FROM sightings AS s
    JOIN item_families AS f ON f.item = s.item AND f.foreign_word
    GROUP BY s.file, s.client_ip, s.item
    HAVING count(*) > $crowd
) AS x
GROUP BY file
