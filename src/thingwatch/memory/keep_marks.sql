-- marks-N.parquet: a hash for each message read, by which it is known when it is given again.
SELECT d.mark AS mark
FROM read_details AS d
LEFT JOIN seen AS s ON s.seq = d.seq
WHERE d.mark <> 0 AND s.seq IS NULL
ORDER BY d.mark
