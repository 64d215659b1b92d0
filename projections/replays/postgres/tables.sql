CREATE TABLE {replays} (
    id BYTEA NOT NULL,
    control_offset BIGINT NOT NULL,
    version BYTEA NOT NULL,
    paused BIGINT NOT NULL,
    cancelled BIGINT NOT NULL,
    requested_at BIGINT NOT NULL,
    actor TEXT COLLATE "C" NOT NULL,
    why TEXT COLLATE "C",
    webhooks BIGINT NOT NULL,
    spec TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (id)
);
CREATE TABLE {replay_changes} (
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
CREATE TABLE {replay_progress} (
    replay BYTEA NOT NULL,
    partition BIGINT NOT NULL,
    next_offset BIGINT NOT NULL,
    filtered BIGINT NOT NULL,
    unmatched BIGINT NOT NULL,
    repeats BIGINT NOT NULL,
    skipped BIGINT NOT NULL,
    left_out BIGINT NOT NULL,
    owed BIGINT NOT NULL,
    delivered BIGINT NOT NULL,
    dead BIGINT NOT NULL,
    cancelled BIGINT NOT NULL,
    started_at BIGINT,
    finished_at BIGINT,
    changed_offset BIGINT,
    PRIMARY KEY (replay, partition)
);
CREATE TABLE {replay_steps} (
    replay BYTEA NOT NULL,
    partition BIGINT NOT NULL,
    record_offset BIGINT NOT NULL,
    next_offset BIGINT NOT NULL,
    filtered BIGINT NOT NULL,
    unmatched BIGINT NOT NULL,
    repeats BIGINT NOT NULL,
    skipped BIGINT NOT NULL,
    left_out BIGINT NOT NULL,
    owed BIGINT NOT NULL,
    delivered BIGINT NOT NULL,
    dead BIGINT NOT NULL,
    cancelled BIGINT NOT NULL,
    started_at BIGINT,
    finished_at BIGINT,
    PRIMARY KEY (replay, partition, record_offset)
);
