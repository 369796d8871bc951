-- Jobs that an operator paused. They stay so across restarts: whoever stopped payouts did not mean until the
-- next update. A row leaves when the job goes on.
CREATE TABLE paused_jobs (
    job TEXT PRIMARY KEY,
    since_ms INTEGER NOT NULL,
    -- The identity provider's id of the operator.
    subject TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The provider's events in the order in which they came.
CREATE INDEX provider_events_by_time ON provider_events (received_at_ms, id);

-- Whom an operator has suspended, no owner of a team lets in again. Of those who were suspended before, it is
-- not known who did it.
ALTER TABLE users ADD COLUMN suspended_by_operator INTEGER NOT NULL DEFAULT 0
    CONSTRAINT users_suspended_by_operator_is_a_flag CHECK (suspended_by_operator IN (0, 1));
