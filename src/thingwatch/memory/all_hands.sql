-- all_hands: in how many dialects all mail of all runs is written.
CREATE OR REPLACE TABLE all_hands AS
SELECT count(*) AS hands
FROM (SELECT dialect FROM known_dialects UNION SELECT dialect FROM fresh) AS d
