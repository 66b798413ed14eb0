-- sightings-N.parquet: what the evidence of one run says of the sources and their neighbours.
SELECT
    client_ip, item, value, seen_at, kind, said, port, source, file, place, device_class, vendor, model, confidence, ours
FROM fresh_sightings
ORDER BY client_ip, file, place
