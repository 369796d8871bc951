-- What is known of the payment provider beside the ledgers: the accounts of creators, and its
-- events as they came. Small tables that all campaigns share; nothing here moves money.

-- The account that a creator is paid to. Only what the provider says of it changes, and only to
-- what it said later.
CREATE TABLE recipients (
    creator_id BLOB PRIMARY KEY REFERENCES creators (id),
    account TEXT NOT NULL CONSTRAINT recipients_account_unique UNIQUE,
    may_receive INTEGER NOT NULL,
    payouts_enabled INTEGER NOT NULL,
    created_at_ms INTEGER NOT NULL,
    checked_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Events of the provider, stored before anything is done about them. A repetition has the same id.
-- The event never changes; tries, error and the times beside it do, and done_at_ms is set once.
CREATE TABLE provider_events (
    id TEXT PRIMARY KEY,
    -- How it came: `account`, `connect` (webhooks) or `list` (asked for).
    endpoint TEXT NOT NULL,
    kind TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    received_at_ms INTEGER NOT NULL,
    recipient TEXT,
    object TEXT,
    payment TEXT,
    -- The body as it was signed; nothing for an event from the list.
    raw BLOB NOT NULL,
    tries INTEGER NOT NULL,
    retry_at_ms INTEGER NOT NULL,
    done_at_ms INTEGER,
    -- What came of it, or of the last try.
    outcome TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX provider_events_waiting ON provider_events (retry_at_ms, created_at_ms)
WHERE done_at_ms IS NULL;

-- How far the provider's list of events was read.
CREATE TABLE provider_cursors (
    one INTEGER PRIMARY KEY CONSTRAINT provider_cursors_is_one CHECK (one = 1),
    cursor TEXT NOT NULL,
    read_at_ms INTEGER NOT NULL
) STRICT;

CREATE TRIGGER recipients_keep_account BEFORE UPDATE ON recipients
WHEN new.creator_id IS NOT old.creator_id OR new.account IS NOT old.account
    OR new.created_at_ms IS NOT old.created_at_ms OR new.checked_at_ms < old.checked_at_ms
BEGIN SELECT raise(ABORT, 'recipients_keep_account'); END;
CREATE TRIGGER recipients_stay BEFORE DELETE ON recipients
BEGIN SELECT raise(ABORT, 'recipients_keep_account'); END;
CREATE TRIGGER recipients_once BEFORE INSERT ON recipients
WHEN EXISTS (SELECT 1 FROM recipients WHERE creator_id = new.creator_id OR account = new.account)
BEGIN SELECT raise(ABORT, 'recipients_keep_account'); END;

CREATE TRIGGER provider_events_never_change BEFORE UPDATE ON provider_events
WHEN new.id IS NOT old.id OR new.endpoint IS NOT old.endpoint OR new.kind IS NOT old.kind
    OR new.created_at_ms IS NOT old.created_at_ms OR new.received_at_ms IS NOT old.received_at_ms
    OR new.recipient IS NOT old.recipient OR new.object IS NOT old.object
    OR new.payment IS NOT old.payment OR new.raw IS NOT old.raw
    OR old.done_at_ms IS NOT NULL
BEGIN SELECT raise(ABORT, 'provider_events_never_change'); END;
CREATE TRIGGER provider_events_stay BEFORE DELETE ON provider_events
BEGIN SELECT raise(ABORT, 'provider_events_never_change'); END;
CREATE TRIGGER provider_events_once BEFORE INSERT ON provider_events
WHEN EXISTS (SELECT 1 FROM provider_events WHERE id = new.id)
BEGIN SELECT raise(ABORT, 'provider_events_never_change'); END;
