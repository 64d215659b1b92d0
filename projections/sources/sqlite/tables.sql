CREATE TABLE {sources} (
    id BLOB NOT NULL,
    name TEXT NOT NULL,
    host TEXT NOT NULL,
    version BLOB NOT NULL,
    paused INTEGER NOT NULL,
    deleted INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    spec TEXT NOT NULL,
    PRIMARY KEY (id)
) STRICT, WITHOUT ROWID;
CREATE TABLE {source_changes} (
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
