CREATE TABLE {partitions} (
    partition BIGINT NOT NULL,
    epoch BIGINT,
    routed_next BIGINT NOT NULL,
    routed_gaps TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (partition)
);
