-- hooklog: tables
CREATE TABLE received (
    delivery UUID NOT NULL PRIMARY KEY,
    receipt UUID NOT NULL,
    guid TEXT NOT NULL,
    event TEXT NOT NULL,
    action TEXT,
    repository TEXT,
    team TEXT NOT NULL,
    subscription TEXT NOT NULL,
    destination TEXT NOT NULL,
    received_at BIGINT NOT NULL,
    delivered_at BIGINT
);
CREATE INDEX received_by_receipt ON received (receipt);
CREATE TABLE looked (
    receipt UUID NOT NULL,
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    from_address TEXT NOT NULL,
    PRIMARY KEY (receipt, at, actor)
);

-- hooklog: events
INSERT INTO received
SELECT (owed ->> 'delivery')::uuid, (e -> 'data' ->> 'receipt')::uuid,
    e #>> '{data,summary,guid}', e #>> '{data,summary,event}',
    e #>> '{data,summary,action}', e #>> '{data,summary,repository}',
    owed ->> 'team', owed ->> 'name', owed ->> 'destination',
    (e -> 'data' ->> 'received_at')::bigint, NULL
FROM jsonb_array_elements($1::jsonb) AS e, jsonb_array_elements(e -> 'data' -> 'matches') AS owed
WHERE e ->> 'type' = 'webhook.routed' AND owed ->> 'outcome' = 'owed'
    AND e #>> '{data,summary,event}' IN ('secret_scanning_alert', 'secret_scanning_alert_location')
ON CONFLICT (delivery) DO NOTHING;

-- When it arrived first, in microseconds since 1970.
UPDATE received SET delivered_at = arrived.at
FROM (
    SELECT (e -> 'data' ->> 'delivery')::uuid AS delivery,
        min((e -> 'data' ->> 'started_at')::bigint + (e -> 'data' ->> 'duration_us')::bigint) AS at
    FROM jsonb_array_elements($1::jsonb) AS e
    WHERE e ->> 'type' = 'delivery.attempted' AND e -> 'data' ->> 'verdict' = 'delivered'
    GROUP BY 1
) AS arrived
WHERE received.delivery = arrived.delivery AND received.delivered_at IS NULL;

INSERT INTO looked
SELECT (e -> 'data' ->> 'receipt')::uuid, (e -> 'data' ->> 'at')::bigint,
    e -> 'data' ->> 'actor', e -> 'data' ->> 'from'
FROM jsonb_array_elements($1::jsonb) AS e
WHERE e ->> 'type' = 'body.read'
    AND EXISTS (SELECT 1 FROM received WHERE receipt = (e -> 'data' ->> 'receipt')::uuid)
ON CONFLICT (receipt, at, actor) DO NOTHING;

-- The repository's name goes with an order to erase; one that names a sender alone is about that.
UPDATE received SET repository = NULL
WHERE receipt IN (
    SELECT (erased ->> 'receipt')::uuid
    FROM jsonb_array_elements($1::jsonb) AS e,
        jsonb_array_elements(e -> 'data' -> 'receipts') AS erased
    WHERE e ->> 'type' = 'erasure.requested'
        AND (e #>> '{data,repository_id}' IS NOT NULL OR e #>> '{data,sender_id}' IS NULL)
);
