-- edges: pairs alike enough to belong to one lure, once the form of the mail and the hand have had their say. Two
-- mails under different names (signer, list, reporting host) must share most of what they hold, not a footer;
-- delivery reports are written by the same few programs everywhere and meet only under one host's name.
CREATE OR REPLACE TABLE edges AS
SELECT message, leader, shared, likeness
FROM (
    SELECT
        a.automatic OR b.automatic AS automatic,
        a.name = b.name AS same_name,
        p.message AS message,
        p.leader AS leader,
        p.shared AS shared,
        p.content
            + CASE WHEN a.dialect = b.dialect THEN 3.0 ELSE 0.0 END
            + CASE WHEN a.layout = b.layout THEN 1.0 ELSE 0.0 END
            + CASE WHEN a.mime_form = b.mime_form THEN 1.0 ELSE 0.0 END
            + CASE WHEN a.id_form = b.id_form THEN 1.0 ELSE 0.0 END
            - CASE WHEN a.name <> b.name AND p.shared < $most * h.keys THEN $other_name ELSE 0.0 END
            AS likeness
    FROM pairs AS p
    JOIN mails AS a ON a.seq = p.message
    JOIN mails AS b ON b.seq = p.leader
    JOIN holdings AS h ON h.seq = p.message
) AS scored
WHERE likeness >= $min_likeness AND (NOT automatic OR same_name)
