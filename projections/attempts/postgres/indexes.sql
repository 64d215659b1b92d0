-- The attempts of one delivery. Rows themselves are ordered by record, so they are appended.
CREATE INDEX IF NOT EXISTS {attempts}_by_delivery ON {attempts} (delivery);
-- The excerpts of one delivery's answers.
CREATE INDEX IF NOT EXISTS {answers}_by_delivery ON {answers} (delivery);
