-- Ids are random and rows are wide: with a table ordered by id every row would touch a page of its own.
CREATE TABLE {deliveries} (
    id BLOB NOT NULL,
    partition INTEGER NOT NULL,
    receipt BLOB NOT NULL,
    cause TEXT NOT NULL,
    guid TEXT NOT NULL,
    subscription TEXT NOT NULL,
    subscription_id BLOB NOT NULL,
    team TEXT NOT NULL,
    destination TEXT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT,
    due_at INTEGER,
    attempts INTEGER NOT NULL,
    event TEXT NOT NULL,
    action TEXT,
    repository TEXT,
    source TEXT NOT NULL,
    host TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    changed_offset INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    first_attempt_at INTEGER,
    PRIMARY KEY (id)
) STRICT;
CREATE TABLE {transitions} (
    partition INTEGER NOT NULL,
    record_offset INTEGER NOT NULL,
    number INTEGER NOT NULL,
    delivery BLOB NOT NULL,
    at INTEGER NOT NULL,
    state TEXT NOT NULL,
    due_at INTEGER,
    reason TEXT,
    attempts INTEGER NOT NULL,
    PRIMARY KEY (partition, record_offset, number)
) STRICT, WITHOUT ROWID;
