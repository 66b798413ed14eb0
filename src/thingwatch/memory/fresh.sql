-- fresh: the messages of this run that no earlier one has read. Recipients are told apart by a hash: what is remembered
-- holds no names of theirs.
CREATE OR REPLACE TABLE fresh AS
SELECT
    d.seq AS seq, d.place AS place,
    d.message_id AS message_id, d.received_at AS received_at, d.client_ip AS client_ip, d.helo AS helo,
    d.ptr AS ptr, d.mail_from AS mail_from, d.header_from AS header_from, d.from_name AS from_name,
    CASE WHEN d.whom = 0 THEN '' ELSE lower(hex(d.whom)) || '@' || split_part(d.recipient, '@', 2) END AS recipient,
    d.subject AS subject, d.size AS size, d.media AS media, d.spf AS spf, d.dkim AS dkim, d.dmarc AS dmarc,
    d.signer AS signer, d.list_id AS list_id, d.name AS name, d.reply AS reply, d.forward AS forward,
    d.automatic AS automatic, d.logged AS logged, d.hosts AS hosts, d.grammars AS grammars, d.dialect AS dialect,
    d.id_form AS id_form, d.mime_form AS mime_form, d.layout AS layout, d.helo_form AS helo_form,
    d.sender_form AS sender_form, d.exact AS exact, d.line AS line, d.system AS system, d.claims AS claims
FROM read_details AS d
LEFT JOIN seen AS s ON s.seq = d.seq
WHERE s.seq IS NULL
