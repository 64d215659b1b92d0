-- Who looked at one webhook.
CREATE INDEX IF NOT EXISTS {body_reads}_by_receipt ON {body_reads} (receipt);
-- Lists: newest first, cut by time.
CREATE INDEX IF NOT EXISTS {body_reads}_by_time ON {body_reads} (at, partition, record_offset);
