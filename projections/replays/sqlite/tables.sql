CREATE TABLE {replays} (
    id BLOB NOT NULL,
    control_offset INTEGER NOT NULL,
    version BLOB NOT NULL,
    paused INTEGER NOT NULL,
    cancelled INTEGER NOT NULL,
    requested_at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    why TEXT,
    webhooks INTEGER NOT NULL,
    spec TEXT NOT NULL,
    PRIMARY KEY (id)
) STRICT, WITHOUT ROWID;
CREATE TABLE {replay_changes} (
    object BLOB NOT NULL,
    control_offset INTEGER NOT NULL,
    event BLOB NOT NULL,
    event_type TEXT NOT NULL,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    from_address TEXT NOT NULL,
    why TEXT,
    outcome TEXT NOT NULL,
    spec TEXT,
    PRIMARY KEY (object, control_offset)
) STRICT, WITHOUT ROWID;
CREATE TABLE {replay_progress} (
    replay BLOB NOT NULL,
    partition INTEGER NOT NULL,
    next_offset INTEGER NOT NULL,
    filtered INTEGER NOT NULL,
    unmatched INTEGER NOT NULL,
    repeats INTEGER NOT NULL,
    skipped INTEGER NOT NULL,
    left_out INTEGER NOT NULL,
    owed INTEGER NOT NULL,
    delivered INTEGER NOT NULL,
    dead INTEGER NOT NULL,
    cancelled INTEGER NOT NULL,
    started_at INTEGER,
    finished_at INTEGER,
    changed_offset INTEGER,
    PRIMARY KEY (replay, partition)
) STRICT, WITHOUT ROWID;
CREATE TABLE {replay_steps} (
    replay BLOB NOT NULL,
    partition INTEGER NOT NULL,
    record_offset INTEGER NOT NULL,
    next_offset INTEGER NOT NULL,
    filtered INTEGER NOT NULL,
    unmatched INTEGER NOT NULL,
    repeats INTEGER NOT NULL,
    skipped INTEGER NOT NULL,
    left_out INTEGER NOT NULL,
    owed INTEGER NOT NULL,
    delivered INTEGER NOT NULL,
    dead INTEGER NOT NULL,
    cancelled INTEGER NOT NULL,
    started_at INTEGER,
    finished_at INTEGER,
    PRIMARY KEY (replay, partition, record_offset)
) STRICT, WITHOUT ROWID;
