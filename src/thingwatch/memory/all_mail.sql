-- all_mail: how many messages all runs have read, in how many dialects.
CREATE OR REPLACE TABLE all_mail AS
SELECT CAST(sum(messages) AS BIGINT) AS messages, count(DISTINCT dialect) AS hands
FROM (SELECT dialect, messages FROM known_dialects UNION ALL SELECT dialect, 1 AS messages FROM fresh) AS d
