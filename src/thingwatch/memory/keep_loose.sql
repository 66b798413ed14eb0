-- loose-N.parquet: the messages of one run that came to no firm lure in it, whole but for their text.
SELECT d.*
FROM fresh AS d
LEFT JOIN settling AS s ON s.seq = d.seq
WHERE s.seq IS NULL
ORDER BY d.seq
