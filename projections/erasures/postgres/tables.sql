CREATE TABLE {erasures} (
    receipt BYTEA NOT NULL,
    control_offset BIGINT NOT NULL,
    partition BIGINT NOT NULL,
    webhook_offset BIGINT NOT NULL,
    repository_id BIGINT,
    sender_id BIGINT,
    at BIGINT NOT NULL,
    actor TEXT COLLATE "C" NOT NULL,
    why TEXT COLLATE "C",
    PRIMARY KEY (receipt, control_offset)
);
