CREATE TABLE {subscriptions} (
    id BYTEA NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    team TEXT COLLATE "C" NOT NULL,
    destination TEXT COLLATE "C" NOT NULL,
    version BYTEA NOT NULL,
    paused BIGINT NOT NULL,
    deleted BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    spec TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (id)
);
CREATE TABLE {subscription_changes} (
    object BYTEA NOT NULL,
    control_offset BIGINT NOT NULL,
    event BYTEA NOT NULL,
    event_type TEXT COLLATE "C" NOT NULL,
    at BIGINT NOT NULL,
    actor TEXT COLLATE "C" NOT NULL,
    from_address TEXT COLLATE "C" NOT NULL,
    why TEXT COLLATE "C",
    outcome TEXT COLLATE "C" NOT NULL,
    spec TEXT COLLATE "C",
    PRIMARY KEY (object, control_offset)
);
