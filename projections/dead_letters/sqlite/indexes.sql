-- Lists: newest first, cut by time. The table is small; other clauses walk it.
CREATE INDEX IF NOT EXISTS {dead_letters}_by_time ON {dead_letters} (received_at, id);
