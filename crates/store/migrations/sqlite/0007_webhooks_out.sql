-- Endpoints of brands and creators to which their events are sent, how far each was told of each
-- ledger, and what came of each sending. The ledgers are the queue: what is planned here is only the
-- next few, and what is said is read from the entry again.

-- Whose an endpoint is and since when never changes. There is no secret in here: it comes from the
-- keyring, the id and the version, which only grows. A row leaves when its owner removes it.
CREATE TABLE webhook_endpoints (
    id BLOB PRIMARY KEY CONSTRAINT webhook_endpoints_id_has_16_bytes CHECK (length(id) = 16),
    role TEXT NOT NULL
        CONSTRAINT webhook_endpoints_role_known CHECK (role IN ('brand', 'creator')),
    party BLOB NOT NULL
        CONSTRAINT webhook_endpoints_party_has_16_bytes CHECK (length(party) = 16),
    url TEXT NOT NULL,
    -- Types of events with blanks between them; `*` is all.
    kinds TEXT NOT NULL,
    -- The master of the keyring that the secret comes from.
    key_id INTEGER NOT NULL,
    version INTEGER NOT NULL,
    -- The master of the secret before, and until when that signs as well.
    old_key_id INTEGER,
    old_until_ms INTEGER,
    -- The request that rotated last, so that its repetition does not rotate again.
    rotation BLOB,
    created_at_ms INTEGER NOT NULL,
    -- Since when nothing but failures.
    failing_since_ms INTEGER,
    disabled_at_ms INTEGER,
    disabled_why TEXT,
    CONSTRAINT webhook_endpoints_old_is_whole
        CHECK ((old_key_id IS NULL) = (old_until_ms IS NULL)),
    CONSTRAINT webhook_endpoints_disabled_is_whole
        CHECK ((disabled_at_ms IS NULL) = (disabled_why IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX webhook_endpoints_of_party ON webhook_endpoints (party, created_at_ms);

-- The position in a ledger up to which an endpoint's events were planned. It only moves on.
CREATE TABLE webhook_cursors (
    endpoint_id BLOB NOT NULL REFERENCES webhook_endpoints (id) ON DELETE CASCADE,
    campaign_id BLOB NOT NULL
        CONSTRAINT webhook_cursors_campaign_has_16_bytes CHECK (length(campaign_id) = 16),
    seq INTEGER NOT NULL,
    PRIMARY KEY (endpoint_id, campaign_id)
) STRICT, WITHOUT ROWID;

-- What was planned and what came of it, numbered for each endpoint. What a delivery is about never
-- changes. One that waits stays; of the others the newest are kept.
CREATE TABLE webhook_deliveries (
    endpoint_id BLOB NOT NULL REFERENCES webhook_endpoints (id) ON DELETE CASCADE,
    no INTEGER NOT NULL,
    -- The entry; none for a test.
    campaign_id BLOB,
    seq INTEGER,
    kind TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    state TEXT NOT NULL CONSTRAINT webhook_deliveries_state_known
        CHECK (state IN ('waiting', 'delivered', 'given_up')),
    -- Sendings since it was planned or replayed.
    attempts INTEGER NOT NULL,
    due_at_ms INTEGER NOT NULL,
    last_at_ms INTEGER,
    -- The status of the last answer, or a word for why there was none.
    last_answer TEXT,
    PRIMARY KEY (endpoint_id, no),
    CONSTRAINT webhook_deliveries_entry_is_whole CHECK ((campaign_id IS NULL) = (seq IS NULL))
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX webhook_deliveries_once
ON webhook_deliveries (endpoint_id, campaign_id, seq) WHERE campaign_id IS NOT NULL;
CREATE INDEX webhook_deliveries_waiting
ON webhook_deliveries (endpoint_id, campaign_id, seq) WHERE state = 'waiting';

CREATE TRIGGER webhook_endpoints_keep_owner BEFORE UPDATE ON webhook_endpoints
WHEN new.id IS NOT old.id OR new.role IS NOT old.role OR new.party IS NOT old.party
    OR new.created_at_ms IS NOT old.created_at_ms OR new.version < old.version
BEGIN SELECT raise(ABORT, 'webhook_endpoints_keep_owner'); END;
CREATE TRIGGER webhook_endpoints_once BEFORE INSERT ON webhook_endpoints
WHEN EXISTS (SELECT 1 FROM webhook_endpoints WHERE id = new.id)
BEGIN SELECT raise(ABORT, 'webhook_endpoints_keep_owner'); END;

CREATE TRIGGER webhook_cursors_move_on BEFORE UPDATE ON webhook_cursors
WHEN new.endpoint_id IS NOT old.endpoint_id OR new.campaign_id IS NOT old.campaign_id
    OR new.seq <= old.seq
BEGIN SELECT raise(ABORT, 'webhook_cursors_move_on'); END;
CREATE TRIGGER webhook_cursors_stay BEFORE DELETE ON webhook_cursors
WHEN EXISTS (SELECT 1 FROM webhook_endpoints WHERE id = old.endpoint_id)
BEGIN SELECT raise(ABORT, 'webhook_cursors_move_on'); END;

CREATE TRIGGER webhook_deliveries_keep_entry BEFORE UPDATE ON webhook_deliveries
WHEN new.no IS NOT old.no OR new.endpoint_id IS NOT old.endpoint_id
    OR new.campaign_id IS NOT old.campaign_id OR new.seq IS NOT old.seq
    OR new.kind IS NOT old.kind OR new.created_at_ms IS NOT old.created_at_ms
BEGIN SELECT raise(ABORT, 'webhook_deliveries_keep_entry'); END;
CREATE TRIGGER webhook_deliveries_wait BEFORE DELETE ON webhook_deliveries
WHEN old.state = 'waiting' AND EXISTS (SELECT 1 FROM webhook_endpoints WHERE id = old.endpoint_id)
BEGIN SELECT raise(ABORT, 'webhook_deliveries_keep_entry'); END;
CREATE TRIGGER webhook_deliveries_no_once BEFORE INSERT ON webhook_deliveries
WHEN EXISTS (SELECT 1 FROM webhook_deliveries WHERE endpoint_id = new.endpoint_id AND no = new.no)
BEGIN SELECT raise(ABORT, 'webhook_deliveries_keep_entry'); END;
