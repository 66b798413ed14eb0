-- jumped: stars with every pointer followed one step further; run until nothing moves.
CREATE OR REPLACE TABLE jumped AS
SELECT s.message AS message, coalesce(n.centre, s.centre) AS centre, s.centre AS before
FROM stars AS s
LEFT JOIN stars AS n ON n.message = s.centre
