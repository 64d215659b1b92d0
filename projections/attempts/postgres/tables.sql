CREATE TABLE {attempts} (
    partition BIGINT NOT NULL,
    record_offset BIGINT NOT NULL,
    delivery BYTEA NOT NULL,
    number BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    duration_us BIGINT NOT NULL,
    resolve_us BIGINT,
    connect_us BIGINT,
    headers_us BIGINT,
    headers_sha256 TEXT COLLATE "C",
    status BIGINT,
    error TEXT COLLATE "C",
    detail TEXT COLLATE "C",
    target TEXT COLLATE "C" NOT NULL,
    address TEXT COLLATE "C",
    verdict TEXT COLLATE "C" NOT NULL,
    epoch BIGINT,
    configuration_offset BIGINT NOT NULL,
    PRIMARY KEY (partition, record_offset)
);
CREATE TABLE {answers} (
    record_key BYTEA NOT NULL,
    partition BIGINT NOT NULL,
    record_offset BIGINT NOT NULL,
    delivery BYTEA NOT NULL,
    number BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    PRIMARY KEY (record_key)
);
