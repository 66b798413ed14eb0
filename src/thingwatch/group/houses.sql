-- houses: sources most of whose mail comes under names: mail servers of providers and companies. A mail from there
-- that carries no name is a customer's, not a bot's.
CREATE OR REPLACE TABLE houses AS
SELECT client_ip
FROM source_totals
WHERE named >= 0.5 * messages
