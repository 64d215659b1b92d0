CREATE TABLE {attempts} (
    partition INTEGER NOT NULL,
    record_offset INTEGER NOT NULL,
    delivery BLOB NOT NULL,
    number INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    duration_us INTEGER NOT NULL,
    resolve_us INTEGER,
    connect_us INTEGER,
    headers_us INTEGER,
    headers_sha256 TEXT,
    status INTEGER,
    error TEXT,
    detail TEXT,
    target TEXT NOT NULL,
    address TEXT,
    verdict TEXT NOT NULL,
    epoch INTEGER,
    configuration_offset INTEGER NOT NULL,
    PRIMARY KEY (partition, record_offset)
) STRICT, WITHOUT ROWID;
CREATE TABLE {answers} (
    record_key BLOB NOT NULL,
    partition INTEGER NOT NULL,
    record_offset INTEGER NOT NULL,
    delivery BLOB NOT NULL,
    number INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    PRIMARY KEY (record_key)
) STRICT, WITHOUT ROWID;
