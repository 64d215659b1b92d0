-- hooklog: tables
CREATE TABLE received (
    delivery TEXT NOT NULL PRIMARY KEY,
    receipt TEXT NOT NULL,
    guid TEXT NOT NULL,
    event TEXT NOT NULL,
    action TEXT,
    repository TEXT,
    team TEXT NOT NULL,
    subscription TEXT NOT NULL,
    destination TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    delivered_at INTEGER
);
CREATE INDEX received_by_receipt ON received (receipt);
CREATE TABLE looked (
    receipt TEXT NOT NULL,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    from_address TEXT NOT NULL,
    PRIMARY KEY (receipt, at, actor)
);

-- hooklog: events
INSERT INTO received
SELECT owed.value ->> 'delivery', event.value -> 'data' ->> 'receipt',
    event.value ->> '$.data.summary.guid', event.value ->> '$.data.summary.event',
    event.value ->> '$.data.summary.action', event.value ->> '$.data.summary.repository',
    owed.value ->> 'team', owed.value ->> 'name', owed.value ->> 'destination',
    event.value -> 'data' ->> 'received_at', NULL
FROM json_each($1) AS event, json_each(event.value, '$.data.matches') AS owed
WHERE event.value ->> 'type' = 'webhook.routed' AND owed.value ->> 'outcome' = 'owed'
    AND event.value ->> '$.data.summary.event' IN ('secret_scanning_alert', 'secret_scanning_alert_location')
ON CONFLICT (delivery) DO NOTHING;

-- When it arrived first, in microseconds since 1970.
UPDATE received SET delivered_at = arrived.at
FROM (
    SELECT event.value -> 'data' ->> 'delivery' AS delivery,
        min((event.value -> 'data' ->> 'started_at') + (event.value -> 'data' ->> 'duration_us')) AS at
    FROM json_each($1) AS event
    WHERE event.value ->> 'type' = 'delivery.attempted'
        AND event.value -> 'data' ->> 'verdict' = 'delivered'
    GROUP BY 1
) AS arrived
WHERE received.delivery = arrived.delivery AND received.delivered_at IS NULL;

INSERT INTO looked
SELECT event.value -> 'data' ->> 'receipt', event.value -> 'data' ->> 'at',
    event.value -> 'data' ->> 'actor', event.value -> 'data' ->> 'from'
FROM json_each($1) AS event
WHERE event.value ->> 'type' = 'body.read'
    AND EXISTS (SELECT 1 FROM received WHERE receipt = event.value -> 'data' ->> 'receipt')
ON CONFLICT (receipt, at, actor) DO NOTHING;

-- The repository's name goes with an order to erase; one that names a sender alone is about that.
UPDATE received SET repository = NULL
WHERE receipt IN (
    SELECT erased.value ->> 'receipt'
    FROM json_each($1) AS event, json_each(event.value, '$.data.receipts') AS erased
    WHERE event.value ->> 'type' = 'erasure.requested'
        AND (event.value ->> '$.data.repository_id' IS NOT NULL
            OR event.value ->> '$.data.sender_id' IS NULL)
);
