-- hooklog: tables
CREATE TABLE deliveries (
    delivery UUID NOT NULL PRIMARY KEY,
    team TEXT NOT NULL,
    day DATE NOT NULL,
    delivered BIGINT NOT NULL
);
CREATE INDEX deliveries_by_team_and_day ON deliveries (team, day);
CREATE VIEW team_days AS
    SELECT team, day, count(*) AS deliveries, sum(delivered)::bigint AS delivered,
        round(100.0 * sum(delivered) / count(*), 1) AS success_percent
    FROM deliveries GROUP BY team, day;

-- What is owed, on the day on which it was decided. A decision that is repeated changes nothing.
-- hooklog: events
INSERT INTO deliveries
SELECT (owed ->> 'delivery')::uuid, owed ->> 'team',
    (to_timestamp((e -> 'data' ->> 'at')::bigint / 1000000) AT TIME ZONE 'UTC')::date, 0
FROM jsonb_array_elements($1::jsonb) AS e, jsonb_array_elements(e -> 'data' -> 'matches') AS owed
WHERE e ->> 'type' = 'webhook.routed' AND owed ->> 'outcome' = 'owed'
ON CONFLICT (delivery) DO NOTHING;

-- What arrived.
UPDATE deliveries SET delivered = 1
WHERE delivery IN (
    SELECT (e -> 'data' ->> 'delivery')::uuid FROM jsonb_array_elements($1::jsonb) AS e
    WHERE e ->> 'type' = 'delivery.attempted' AND e -> 'data' ->> 'verdict' = 'delivered'
);
