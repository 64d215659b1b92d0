-- Lists: newest first.
CREATE INDEX IF NOT EXISTS {replays}_by_time ON {replays} (control_offset);
