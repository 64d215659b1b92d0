-- Lists: newest first.
CREATE INDEX {replays}_by_time ON {replays} (control_offset);
