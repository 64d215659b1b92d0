-- Lists: newest first, cut by time. The last three columns tell whether a delivery was there at a point
-- of the past, and is as it was, without a look at its row: a list of long ago passes all later ones.
CREATE INDEX IF NOT EXISTS {deliveries}_by_time ON {deliveries}
    (received_at, id, partition, decision_offset, changed_offset);
-- A webhook's deliveries; timelines.
CREATE INDEX IF NOT EXISTS {deliveries}_by_receipt ON {deliveries} (receipt);
-- Lists of one subscription; also what a command with its scope would change.
CREATE INDEX IF NOT EXISTS {deliveries}_by_subscription ON {deliveries} (subscription_id, received_at, id);
-- Open ones are few among many; those that ended are not in this index, so it stays small.
CREATE INDEX IF NOT EXISTS {deliveries}_open ON {deliveries} (received_at, id) WHERE state = 'open';
-- The history of one delivery. Rows themselves are ordered by record, so they are appended.
CREATE INDEX IF NOT EXISTS {transitions}_by_delivery ON {transitions} (delivery);
