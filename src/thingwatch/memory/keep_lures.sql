-- lures.parquet: every lure known, see kept_lures.
SELECT lure, now, campaign, nameless, firm
FROM kept_lures
ORDER BY lure
