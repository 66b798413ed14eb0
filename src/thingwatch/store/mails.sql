-- mails: what grouping asks of a message; everything else stays in the workers' files until a profile wants it.
-- bin: ten minutes, counted from 1970.
CREATE OR REPLACE TABLE mails AS
SELECT
    seq, message_id, received_at, client_ip, header_from, signer, list_id, name, reply, forward, automatic, logged,
    recipient, size, media, spf, dkim, dmarc, dialect, id_form, mime_form, layout, helo_form, sender_form, mail_from,
    line, received_at // 600000000 AS bin
FROM details
