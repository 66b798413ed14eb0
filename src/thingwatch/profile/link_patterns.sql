-- link_patterns: how each campaign writes its links, the commonest first.
CREATE OR REPLACE TABLE link_patterns AS
SELECT campaign, pattern, messages, row_number() OVER (PARTITION BY campaign ORDER BY messages DESC, pattern) AS place
FROM (
    SELECT campaign, pattern, count(*) AS messages
    FROM (
        SELECT b.campaign AS campaign, unnest(d.grammars) AS pattern
        FROM belonging AS b
        JOIN details AS d ON d.seq = b.seq
    ) AS written
    GROUP BY campaign, pattern
) AS counted
