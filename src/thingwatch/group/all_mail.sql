-- all_mail: how many messages there are, in how many dialects.
CREATE OR REPLACE TABLE all_mail AS
SELECT count(*) AS messages, count(DISTINCT dialect) AS hands
FROM mails
