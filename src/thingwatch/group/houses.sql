-- houses: sources most of whose mail comes under names: mail servers of providers and companies. A mail from there
-- that carries no name is a customer's, not a bot's.
CREATE OR REPLACE TABLE houses AS
SELECT client_ip
FROM mails
WHERE client_ip IS NOT NULL
GROUP BY client_ip
HAVING sum(CASE WHEN name <> '' THEN 1 ELSE 0 END) >= 0.5 * count(*)
