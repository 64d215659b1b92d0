CREATE TABLE {partitions} (
    partition INTEGER NOT NULL,
    epoch INTEGER,
    routed_next INTEGER NOT NULL,
    routed_gaps TEXT NOT NULL,
    PRIMARY KEY (partition)
) STRICT, WITHOUT ROWID;
