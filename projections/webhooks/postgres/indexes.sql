-- Lists: newest first, cut by time. The last two columns tell whether a webhook was there at a point of
-- the past, without a look at its row.
CREATE INDEX IF NOT EXISTS {webhooks}_by_time ON {webhooks}
    (received_at, receipt, webhook_offset, partition, decision_offset);
-- What one run of records decided: counts at a point of the past.
CREATE INDEX IF NOT EXISTS {webhooks}_by_decision ON {webhooks} (partition, decision_offset);
-- Timelines.
CREATE INDEX IF NOT EXISTS {webhooks}_by_guid ON {webhooks} (guid);
-- Lists of one repository; also how an erasure by name is counted.
CREATE INDEX IF NOT EXISTS {webhooks}_by_repository ON {webhooks} (repository, received_at, receipt, webhook_offset)
    WHERE repository IS NOT NULL;
-- No index by event, source, host or sender: few values, or rare questions. They walk by time.
