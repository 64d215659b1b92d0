CREATE TABLE {counts} (
    partition BIGINT NOT NULL,
    slice BIGINT NOT NULL,
    minute_at BIGINT NOT NULL,
    source TEXT COLLATE "C" NOT NULL,
    received BIGINT NOT NULL,
    owed BIGINT NOT NULL,
    delivered BIGINT NOT NULL,
    failed BIGINT NOT NULL,
    dead BIGINT NOT NULL,
    PRIMARY KEY (partition, slice, minute_at, source)
);
