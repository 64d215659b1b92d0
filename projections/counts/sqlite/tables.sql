CREATE TABLE {counts} (
    partition INTEGER NOT NULL,
    slice INTEGER NOT NULL,
    minute_at INTEGER NOT NULL,
    source TEXT NOT NULL,
    received INTEGER NOT NULL,
    owed INTEGER NOT NULL,
    delivered INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    dead INTEGER NOT NULL,
    PRIMARY KEY (partition, slice, minute_at, source)
) STRICT, WITHOUT ROWID;
