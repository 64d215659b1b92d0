-- Minutes of all partitions together.
CREATE INDEX IF NOT EXISTS {counts}_by_minute ON {counts} (minute_at);
