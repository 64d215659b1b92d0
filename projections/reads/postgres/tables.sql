CREATE TABLE {body_reads} (
    partition BIGINT NOT NULL,
    record_offset BIGINT NOT NULL,
    receipt BYTEA NOT NULL,
    actor TEXT COLLATE "C" NOT NULL,
    from_address TEXT COLLATE "C" NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (partition, record_offset)
);
