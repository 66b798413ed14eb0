-- traits: what can be said of every message besides its content: dialect, ten minutes, forms, link grammars.
CREATE OR REPLACE TABLE traits AS
SELECT seq, 'dialect' AS trait, dialect AS value FROM mails
UNION ALL
SELECT seq, 'clock' AS trait, bin AS value FROM mails WHERE bin IS NOT NULL
UNION ALL
SELECT seq, 'layout' AS trait, layout AS value FROM mails
UNION ALL
SELECT seq, 'mime' AS trait, mime_form AS value FROM mails
UNION ALL
SELECT seq, 'id' AS trait, id_form AS value FROM mails
UNION ALL
SELECT seq, 'grammar' AS trait, key AS value FROM held WHERE kind = 8
