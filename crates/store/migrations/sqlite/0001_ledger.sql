-- The ledger and the projections beside it.
--
-- Append-only tables: entries, tiles, filters. Their rows never change (INV-7); triggers
-- refuse whoever tries, with any tool. All other tables are projections: they are written in the
-- transaction that appends, and `sponsorhub audit` derives them again from entry 1.
--
-- The campaign leads every key of a campaign's tables. Where a key is one integer, the campaign's
-- number stands in its upper bits: `pos = campaign_no << 40 | seq`, so that a campaign's entries
-- lie together and in order, and an append goes to one place.

-- One row about the installation. Never changes, but for the keyring, which is set once.
CREATE TABLE installation (
    one INTEGER PRIMARY KEY CONSTRAINT installation_is_one CHECK (one = 1),
    -- The keyring that this database belongs to; empty until a store is opened with one.
    keyring_id BLOB CONSTRAINT keyring_id_has_16_bytes CHECK (length(keyring_id) = 16)
) STRICT;

-- Campaigns and their numbers. Never changes.
CREATE TABLE campaigns (
    no INTEGER PRIMARY KEY CONSTRAINT campaigns_no_in_range CHECK (no BETWEEN 1 AND 4194303),
    id BLOB NOT NULL CONSTRAINT campaigns_id_unique UNIQUE
        CONSTRAINT campaigns_id_has_16_bytes CHECK (length(id) = 16)
) STRICT;

-- The ledger. No column ever changes. `bytes` is the entry exactly as hashed; the other columns
-- repeat parts of it so that scans need not parse.
CREATE TABLE entries (
    pos INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    enrollment_no INTEGER,
    n INTEGER,
    -- Order amount of a conversion, reversed amount of a reversal.
    amount_minor INTEGER,
    -- The composite key of an event (INV-4), and the slot of the click that it used up. Not indexed:
    -- the filters say where to look.
    key BLOB,
    slot BLOB,
    bytes BLOB NOT NULL
) STRICT;

-- One row per campaign, of constant size.
CREATE TABLE campaign_heads (
    campaign_no INTEGER PRIMARY KEY REFERENCES campaigns (no),
    -- Position and time of the last entry, and position of the last that no intake made.
    seq INTEGER NOT NULL CONSTRAINT campaign_heads_seq_positive CHECK (seq > 0),
    at_ms INTEGER NOT NULL,
    command_seq INTEGER NOT NULL,
    -- `enrollments.n` counts the entries up to this position; those behind it are counted on load.
    counted_seq INTEGER NOT NULL,
    state TEXT NOT NULL,
    ended_at_ms INTEGER,
    conversion_days INTEGER NOT NULL,
    clearing_days INTEGER NOT NULL,
    -- Right edge of the tree over all entries: size and peaks.
    frontier BLOB NOT NULL,
    confirmed_minor INTEGER NOT NULL,
    budget_minor INTEGER NOT NULL,
    launch_confirmed_minor INTEGER,
    launch_budget_minor INTEGER,
    -- Position of the newest terms.
    terms_seq INTEGER NOT NULL,
    -- The funding gate once more (INV-9): no live campaign without the money, whoever writes.
    CONSTRAINT campaign_heads_live_is_funded CHECK (
        state <> 'live' OR ifnull(launch_confirmed_minor >= launch_budget_minor, 0)
    )
) STRICT;

-- When clicks are credited. The last interval may be open.
CREATE TABLE live_intervals (
    campaign_no INTEGER NOT NULL REFERENCES campaigns (no),
    no INTEGER NOT NULL,
    from_ms INTEGER NOT NULL,
    to_ms INTEGER,
    PRIMARY KEY (campaign_no, no)
) STRICT, WITHOUT ROWID;

CREATE TABLE enrollments (
    campaign_no INTEGER NOT NULL REFERENCES campaigns (no),
    no INTEGER NOT NULL,
    id BLOB NOT NULL CONSTRAINT enrollments_id_has_16_bytes CHECK (length(id) = 16),
    started_at_ms INTEGER NOT NULL,
    ended_at_ms INTEGER,
    -- Entries that concern it, up to the head's counted_seq.
    n INTEGER NOT NULL,
    PRIMARY KEY (campaign_no, no),
    CONSTRAINT enrollments_id_unique UNIQUE (campaign_no, id)
) STRICT, WITHOUT ROWID;

-- Sums of postings, debit positive. enrollment_no is -1 for accounts of the campaign itself.
CREATE TABLE balances (
    campaign_no INTEGER NOT NULL REFERENCES campaigns (no),
    enrollment_no INTEGER NOT NULL,
    account TEXT NOT NULL,
    debit_minor INTEGER NOT NULL,
    PRIMARY KEY (campaign_no, enrollment_no, account)
) STRICT, WITHOUT ROWID;

-- What was reversed of a conversion; no row for most (INV-8).
CREATE TABLE reversals (
    campaign_no INTEGER NOT NULL REFERENCES campaigns (no),
    conversion_seq INTEGER NOT NULL,
    refunded_minor INTEGER NOT NULL,
    is_whole INTEGER NOT NULL,
    PRIMARY KEY (campaign_no, conversion_seq)
) STRICT, WITHOUT ROWID;

-- Full filter slices over the keys of a campaign up to a position. Rows never change.
CREATE TABLE filters (
    -- campaign_no << 40 | number of the slice
    pos INTEGER PRIMARY KEY,
    -- The slice holds every key of the entries after the previous slice's upto_seq, up to here.
    upto_seq INTEGER NOT NULL,
    first_bucket INTEGER NOT NULL,
    keys INTEGER NOT NULL,
    cells BLOB NOT NULL
) STRICT;

-- Full tiles of the tree: 256 hashes each. Rows never change.
CREATE TABLE tiles (
    -- campaign_no << 40 | level << 36 | number within the level
    pos INTEGER PRIMARY KEY,
    bytes BLOB NOT NULL CONSTRAINT tiles_are_full CHECK (length(bytes) = 8192)
) STRICT;

CREATE TRIGGER entries_never_change BEFORE UPDATE ON entries
BEGIN SELECT raise(ABORT, 'entries are append-only (INV-7)'); END;
CREATE TRIGGER entries_never_leave BEFORE DELETE ON entries
BEGIN SELECT raise(ABORT, 'entries are append-only (INV-7)'); END;
-- REPLACE and UPSERT pass the two above: an entry is taken only right behind the last one of its
-- campaign (INV-6). Written for speed, since it runs for every entry: one look-up; no column but
-- the key, or SQLite would copy the row; ROLLBACK (with an insert that says OR ROLLBACK), or it
-- would keep a journal for every single row. A constraint on the table would bring that journal
-- back, which is why there is none on the size of an entry: the core makes none that is too large.
CREATE TRIGGER entries_are_consecutive BEFORE INSERT ON entries
WHEN (SELECT pos FROM entries WHERE pos <= new.pos ORDER BY pos DESC LIMIT 1) IS NOT new.pos - 1
    AND (new.pos & 1099511627775 <> 1 OR EXISTS (SELECT 1 FROM entries WHERE pos = new.pos))
BEGIN SELECT raise(ROLLBACK, 'an entry follows the last of its campaign (INV-6)'); END;

CREATE TRIGGER tiles_never_change BEFORE UPDATE ON tiles
BEGIN SELECT raise(ABORT, 'tiles are append-only (INV-14)'); END;
CREATE TRIGGER tiles_never_leave BEFORE DELETE ON tiles
BEGIN SELECT raise(ABORT, 'tiles are append-only (INV-14)'); END;
CREATE TRIGGER tiles_are_written_once BEFORE INSERT ON tiles
WHEN EXISTS (SELECT 1 FROM tiles WHERE pos = new.pos)
BEGIN SELECT raise(ABORT, 'tiles are append-only (INV-14)'); END;

CREATE TRIGGER filters_never_change BEFORE UPDATE ON filters
BEGIN SELECT raise(ABORT, 'filters are append-only (INV-4)'); END;
CREATE TRIGGER filters_never_leave BEFORE DELETE ON filters
BEGIN SELECT raise(ABORT, 'filters are append-only (INV-4)'); END;
CREATE TRIGGER filters_are_written_once BEFORE INSERT ON filters
WHEN EXISTS (SELECT 1 FROM filters WHERE pos = new.pos)
BEGIN SELECT raise(ABORT, 'filters are append-only (INV-4)'); END;

CREATE TRIGGER campaigns_never_change BEFORE UPDATE ON campaigns
BEGIN SELECT raise(ABORT, 'campaigns keep their numbers'); END;
CREATE TRIGGER campaigns_never_leave BEFORE DELETE ON campaigns
BEGIN SELECT raise(ABORT, 'campaigns keep their numbers'); END;

-- REPLACE removes a row without asking the triggers above, unless a connection turns on
-- recursive_triggers; these see it come in.
CREATE TRIGGER campaigns_are_written_once BEFORE INSERT ON campaigns
WHEN EXISTS (SELECT 1 FROM campaigns WHERE no = new.no OR id = new.id)
BEGIN SELECT raise(ABORT, 'campaigns keep their numbers'); END;

-- The first keyring that a store is opened with may be recorded, and nothing else. What the keys
-- lie in is counted by the other columns, so they are fixed from the start.
CREATE TRIGGER installation_keeps_its_keyring BEFORE UPDATE ON installation
WHEN old.keyring_id IS NOT NULL
BEGIN SELECT raise(ABORT, 'the installation never changes'); END;
CREATE TRIGGER installation_is_one_row BEFORE UPDATE OF one ON installation
BEGIN SELECT raise(ABORT, 'the installation never changes'); END;
CREATE TRIGGER installation_never_leaves BEFORE DELETE ON installation
BEGIN SELECT raise(ABORT, 'the installation never changes'); END;
CREATE TRIGGER installation_is_written_once BEFORE INSERT ON installation
WHEN EXISTS (SELECT 1 FROM installation)
BEGIN SELECT raise(ABORT, 'the installation never changes'); END;
