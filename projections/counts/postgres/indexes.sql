-- Minutes of all partitions together.
CREATE INDEX {counts}_by_minute ON {counts} (minute_at);
