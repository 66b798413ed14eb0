-- large: the campaigns a counterfactual is worth counting for: the fifty largest with several sources.
CREATE OR REPLACE TABLE large AS
SELECT campaign
FROM (SELECT campaign, row_number() OVER (ORDER BY messages DESC, campaign) AS place FROM reported WHERE sources >= 5) AS ranked
WHERE place <= 50
