-- Who left the identity provider, or an organisation of it, perhaps before they ever joined: a token that was
-- issued before then lets nobody join. Rows leave when such a token cannot be valid any more.
CREATE TABLE departures (
    -- The identity provider's id of the user.
    subject TEXT NOT NULL,
    -- The organisation that they left; empty where they left altogether.
    organisation TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (subject, organisation)
) STRICT, WITHOUT ROWID;
CREATE INDEX departures_by_time ON departures (at_ms);

-- Which key another takes over from. One that stands has at most one successor that stands.
ALTER TABLE api_keys ADD COLUMN replaces BLOB
    CONSTRAINT api_keys_replaces_has_16_bytes CHECK (length(replaces) = 16);
CREATE UNIQUE INDEX api_keys_replaced_once ON api_keys (replaces)
WHERE replaces IS NOT NULL AND revoked_at_ms IS NULL;

CREATE TRIGGER api_keys_replace_for_good BEFORE UPDATE ON api_keys
WHEN new.replaces IS NOT old.replaces
BEGIN SELECT raise(ABORT, 'api_keys_keep_their_secret'); END;

-- Reports of conversions come by the thousand: those of a minute by one key, from one network, with one
-- answer are one row.
ALTER TABLE access_log ADD COLUMN count INTEGER NOT NULL DEFAULT 1
    CONSTRAINT access_log_counts_something CHECK (count > 0);

-- When the newest event of an endpoint came.
CREATE INDEX provider_events_heard ON provider_events (endpoint, received_at_ms);
