CREATE TABLE {erasures} (
    receipt BLOB NOT NULL,
    control_offset INTEGER NOT NULL,
    partition INTEGER NOT NULL,
    webhook_offset INTEGER NOT NULL,
    repository_id INTEGER,
    sender_id INTEGER,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    why TEXT,
    PRIMARY KEY (receipt, control_offset)
) STRICT, WITHOUT ROWID;
