-- file_votes: the one family in which a file may vote about an address. Whoever writes a list can claim anything of it;
-- all his claims together are one voice.
CREATE OR REPLACE TABLE file_votes AS
SELECT client_ip, file, family
FROM (
    SELECT client_ip, file, family, row_number() OVER (PARTITION BY client_ip, file ORDER BY rank, family) AS place
    FROM (SELECT DISTINCT client_ip, file, family, rank FROM weighed WHERE foreign_word AND fresh >= $least_fresh) AS x
) AS y
WHERE place = 1
