-- all_hands: in how many dialects the mail is written.
CREATE OR REPLACE TABLE all_hands AS
SELECT count(DISTINCT dialect) AS hands
FROM mails
