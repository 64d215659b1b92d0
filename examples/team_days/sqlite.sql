-- hooklog: tables
CREATE TABLE deliveries (
    delivery TEXT NOT NULL PRIMARY KEY,
    team TEXT NOT NULL,
    day TEXT NOT NULL,
    delivered INTEGER NOT NULL
);
CREATE INDEX deliveries_by_team_and_day ON deliveries (team, day);
CREATE VIEW team_days AS
    SELECT team, day, count(*) AS deliveries, sum(delivered) AS delivered,
        round(100.0 * sum(delivered) / count(*), 1) AS success_percent
    FROM deliveries GROUP BY team, day;

-- What is owed, on the day on which it was decided. A decision that is repeated changes nothing.
-- hooklog: events
INSERT INTO deliveries
SELECT owed.value ->> 'delivery', owed.value ->> 'team',
    date((event.value -> 'data' ->> 'at') / 1000000, 'unixepoch'), 0
FROM json_each($1) AS event, json_each(event.value, '$.data.matches') AS owed
WHERE event.value ->> 'type' = 'webhook.routed' AND owed.value ->> 'outcome' = 'owed'
ON CONFLICT (delivery) DO NOTHING;

-- What arrived.
UPDATE deliveries SET delivered = 1
WHERE delivery IN (
    SELECT event.value -> 'data' ->> 'delivery' FROM json_each($1) AS event
    WHERE event.value ->> 'type' = 'delivery.attempted'
        AND event.value -> 'data' ->> 'verdict' = 'delivered'
);
