-- loose: mails in no reportable lure that carry no name and answer nobody.
CREATE OR REPLACE TABLE loose AS
SELECT m.seq AS seq, m.client_ip AS client_ip
FROM mails AS m
LEFT JOIN core_members AS c ON c.seq = m.seq
LEFT JOIN members AS b ON b.seq = m.seq
LEFT JOIN lure_facts AS f ON f.lure = b.lure
LEFT JOIN houses AS h ON h.client_ip = m.client_ip
LEFT JOIN attached AS a ON a.seq = m.seq
WHERE c.seq IS NULL
    AND a.seq IS NULL
    AND (f.messages IS NULL OR f.messages < $min_messages)
    AND m.signer = ''
    AND h.client_ip IS NULL
    AND m.list_id = ''
    AND NOT m.automatic
    AND NOT m.reply
    AND NOT m.forward
