-- votes: one value for each source and item: the freshest word, then what most lines say. At the front a thing's banner
-- goes before a server's: a forwarded port may stand beside the router's own page.
CREATE OR REPLACE TABLE votes AS
SELECT client_ip, item, value, family, lines, fresh, age_days
FROM (
    SELECT
        client_ip, item, value, family, lines, fresh, age_days,
        row_number() OVER (
            PARTITION BY client_ip, item
            ORDER BY tenths DESC, CASE WHEN item = 'front' THEN value ELSE 0 END, lines DESC, value
        ) AS place
    FROM tallied
) AS ranked
WHERE place = 1
