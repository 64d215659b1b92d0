-- What replay cannot recreate: which tables answer, up to where each set of them has read, and who
-- may write. They stand in the schema of the tables. Made by the first process that finds none.

-- The tables of a projection that every query reads: <table>_v<version><suffix>. Their names stand
-- here too, separated by spaces, so that a release which knows other tables keeps them.
CREATE TABLE IF NOT EXISTS active (
    projection TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    suffix TEXT COLLATE "C" NOT NULL,
    tables TEXT COLLATE "C" NOT NULL
);

-- A set of tables that is written together: 'live', or one beside it; and its log's id. Earlier
-- releases noted here the names of tables to drop; now members has them.
CREATE TABLE IF NOT EXISTS builds (
    build TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    log BYTEA NOT NULL,
    tables TEXT COLLATE "C" NOT NULL
);

-- The next offset of each partition that the set will read. Written with the rows.
CREATE TABLE IF NOT EXISTS checkpoints (
    build TEXT COLLATE "C" NOT NULL,
    topic TEXT COLLATE "C" NOT NULL,
    partition INTEGER NOT NULL,
    next BIGINT NOT NULL,
    PRIMARY KEY (build, topic, partition)
);

-- Who may write, and until when, by the clock of the server. Every transaction that writes compares
-- its term, which grows whenever the lease changes hands.
CREATE TABLE IF NOT EXISTS leases (
    name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    term BIGINT NOT NULL,
    writer TEXT COLLATE "C" NOT NULL,
    ends_at TIMESTAMPTZ NOT NULL
);
