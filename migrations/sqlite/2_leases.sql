-- Who may write. The tables belong to one process, so a lease has no end: it goes to the last who
-- asks, and every write compares its term.
CREATE TABLE IF NOT EXISTS leases (
    name TEXT NOT NULL PRIMARY KEY,
    term INTEGER NOT NULL,
    writer TEXT NOT NULL
) STRICT, WITHOUT ROWID;
