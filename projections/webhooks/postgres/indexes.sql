-- Lists: newest first, cut by time.
CREATE INDEX IF NOT EXISTS {webhooks}_by_time ON {webhooks} (received_at, receipt, webhook_offset);
-- Timelines.
CREATE INDEX IF NOT EXISTS {webhooks}_by_guid ON {webhooks} (guid);
-- Lists of one repository; also how an erasure by name is counted.
CREATE INDEX IF NOT EXISTS {webhooks}_by_repository ON {webhooks} (repository, received_at, receipt, webhook_offset)
    WHERE repository IS NOT NULL;
-- No index by event, source, host or sender: few values, or rare questions. They walk by time.
