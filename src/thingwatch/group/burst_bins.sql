-- burst_bins: the bursts of each hand with the ten minutes before and after, where they swell and ebb.
CREATE OR REPLACE TABLE burst_bins AS
SELECT DISTINCT dialect, bin
FROM (
    SELECT dialect, bin FROM hand_bins
    UNION ALL
    SELECT dialect, bin - 1 AS bin FROM hand_bins
    UNION ALL
    SELECT dialect, bin + 1 AS bin FROM hand_bins
) AS around
