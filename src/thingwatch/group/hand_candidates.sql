-- hand_candidates: the messages of nameless lures that may be by the lure's own hand. A lure is nameless when no one name stands
-- behind half of it: no names at all, or many throwaway ones. A member that is signed or comes from a house
-- that signs, a list's, an answer or a delivery report, in a lure of which most is not, is somebody quoting it.
CREATE OR REPLACE TABLE hand_candidates AS
SELECT b.seq AS seq, b.lure AS lure, m.client_ip AS client_ip, m.dialect AS dialect, m.bin AS bin
FROM members AS b
JOIN mails AS m ON m.seq = b.seq
JOIN lure_facts AS f ON f.lure = b.lure
LEFT JOIN houses AS h ON h.client_ip = m.client_ip
WHERE f.messages > 1
    AND f.one_name < $nameless
    AND f.automatic < 0.5
    AND NOT m.automatic
    AND ((m.signer = '' AND h.client_ip IS NULL) OR f.signed >= $nameless)
    AND (m.list_id = '' OR f.listed >= 0.5)
    AND (NOT m.reply OR f.answers >= 0.5)
    AND (NOT m.forward OR f.answers >= 0.5)
