-- What replay cannot recreate: which tables answer, and up to where each set of them has read.

-- The tables of a projection that every query reads: <table>_v<version><suffix>. Their names stand
-- here too, separated by spaces, so that a release which knows other tables keeps them.
CREATE TABLE IF NOT EXISTS active (
    projection TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    suffix TEXT NOT NULL,
    tables TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- A set of tables that is written together: 'live', or a build beside it; and its log's id.
CREATE TABLE IF NOT EXISTS builds (
    build TEXT NOT NULL PRIMARY KEY,
    log BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- The next offset of each partition that the set will read. Written with the rows.
CREATE TABLE IF NOT EXISTS checkpoints (
    build TEXT NOT NULL,
    topic TEXT NOT NULL,
    partition INTEGER NOT NULL,
    next INTEGER NOT NULL,
    PRIMARY KEY (build, topic, partition)
) STRICT, WITHOUT ROWID;
