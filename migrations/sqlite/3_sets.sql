-- What replay cannot recreate: which sets of tables stand beside the live one.

-- A set that is being built, or that was replaced and is kept ('building', 'kept'), and since when,
-- in microseconds since 1970. Its log and checkpoint are in builds and checkpoints.
CREATE TABLE IF NOT EXISTS sets (
    build TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    since INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Its tables, a row a projection, as in active.
CREATE TABLE IF NOT EXISTS members (
    build TEXT NOT NULL,
    projection TEXT NOT NULL,
    version INTEGER NOT NULL,
    suffix TEXT NOT NULL,
    tables TEXT NOT NULL,
    PRIMARY KEY (build, projection)
) STRICT, WITHOUT ROWID;
