-- own_hands: the messages of nameless lures by the lure's own hand. A lure is nameless when no one name stands
-- behind half of it: no names at all, or many throwaway ones. In a lure of no names, a member that carries one,
-- or that is a list's, an answer, a forward or a delivery report, is somebody quoting it.
CREATE OR REPLACE TABLE own_hands AS
SELECT b.seq AS seq, b.lure AS lure, m.client_ip AS client_ip, m.dialect AS dialect, m.bin AS bin
FROM members AS b
JOIN mails AS m ON m.seq = b.seq
JOIN lure_facts AS f ON f.lure = b.lure
WHERE f.messages > 1
    AND f.one_name < $nameless
    AND f.automatic < 0.5
    AND (m.signer = '' OR f.signed >= $nameless)
    AND m.list_id = ''
    AND NOT m.automatic
    AND (NOT m.reply OR f.answers >= 0.5)
    AND (NOT m.forward OR f.answers >= 0.5)
