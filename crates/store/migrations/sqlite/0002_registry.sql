-- The registry: who takes part, with which keys, links and codes. What HTTP looks up.
--
-- Nothing here moves money and nothing here is derived from the ledger. Tables of a campaign are
-- led by its number. Small tables that all campaigns share are listed in the README of the store
-- with the reason; they name campaigns by id and have no foreign key to a campaign's tables.
-- Rows stay: what ends is marked with the time at which it ended, once.

-- Bumped with every change that a cached look-up could see.
CREATE TABLE registry_versions (
    one INTEGER PRIMARY KEY CONSTRAINT registry_versions_is_one CHECK (one = 1),
    version INTEGER NOT NULL
) STRICT;
INSERT INTO registry_versions VALUES (1, 0);

-- `id` and `created_at_ms` never change.
CREATE TABLE brands (
    id BLOB PRIMARY KEY CONSTRAINT brands_id_has_16_bytes CHECK (length(id) = 16),
    name TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    -- The query parameter in which a shop of the brand finds the click token.
    click_parameter TEXT NOT NULL DEFAULT 'sh_click'
) STRICT, WITHOUT ROWID;

-- `id` and `created_at_ms` never change. Erasing takes the name and leaves the row.
CREATE TABLE creators (
    id BLOB PRIMARY KEY CONSTRAINT creators_id_has_16_bytes CHECK (length(id) = 16),
    name TEXT,
    created_at_ms INTEGER NOT NULL,
    erased_at_ms INTEGER,
    CONSTRAINT creators_name_until_erased CHECK ((name IS NULL) = (erased_at_ms IS NOT NULL))
) STRICT, WITHOUT ROWID;

-- Who runs a campaign. Never changes.
CREATE TABLE campaign_owners (
    campaign_no INTEGER PRIMARY KEY REFERENCES campaigns (no),
    brand_id BLOB NOT NULL REFERENCES brands (id),
    created_at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX campaign_owners_by_brand ON campaign_owners (brand_id, campaign_no);

-- Whose an enrollment is. Entries do not say, so that a person can be erased (creator_id goes,
-- once) and no entry changes. It is written before the enrollment starts, hence no reference to it.
CREATE TABLE enrollment_creators (
    campaign_no INTEGER NOT NULL REFERENCES campaigns (no),
    enrollment_id BLOB NOT NULL
        CONSTRAINT enrollment_creators_id_has_16_bytes CHECK (length(enrollment_id) = 16),
    creator_id BLOB REFERENCES creators (id),
    created_at_ms INTEGER NOT NULL,
    erased_at_ms INTEGER,
    PRIMARY KEY (campaign_no, enrollment_id),
    CONSTRAINT enrollment_creators_until_erased
        CHECK ((creator_id IS NULL) = (erased_at_ms IS NOT NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX enrollment_creators_by_creator ON enrollment_creators (creator_id);

-- Keys of a brand's shop. Only last_used_at_ms and expires_at_ms change, and revoked_at_ms once.
CREATE TABLE api_keys (
    id BLOB PRIMARY KEY CONSTRAINT api_keys_id_has_16_bytes CHECK (length(id) = 16),
    brand_id BLOB NOT NULL REFERENCES brands (id),
    -- SHA-256 of the secret, which is nowhere.
    secret_hash BLOB NOT NULL CONSTRAINT api_keys_secret_hash_unique UNIQUE
        CONSTRAINT api_keys_secret_hash_has_32_bytes CHECK (length(secret_hash) = 32),
    -- Separated by blanks.
    scopes TEXT NOT NULL,
    needs_signature INTEGER NOT NULL,
    -- Encrypted by whoever holds the keyring.
    signing_secret_wrapped BLOB,
    created_at_ms INTEGER NOT NULL,
    -- Written now and then, not at each use.
    last_used_at_ms INTEGER,
    -- May only come closer.
    expires_at_ms INTEGER,
    revoked_at_ms INTEGER,
    CONSTRAINT api_keys_signature_has_secret
        CHECK (needs_signature = 0 OR signing_secret_wrapped IS NOT NULL)
) STRICT, WITHOUT ROWID;
CREATE INDEX api_keys_by_brand ON api_keys (brand_id);

-- Only revoked_at_ms changes, once.
CREATE TABLE links (
    campaign_no INTEGER NOT NULL REFERENCES campaigns (no),
    -- 1, 2, 3, … in each campaign. Link tokens carry it.
    number INTEGER NOT NULL
        CONSTRAINT links_number_has_32_bits CHECK (number BETWEEN 1 AND 4294967295),
    enrollment_id BLOB NOT NULL,
    destination TEXT NOT NULL,
    -- Keyed hashes of network and browser of whoever made it: key id, 8 and 8 bytes.
    maker BLOB CONSTRAINT links_maker_has_18_bytes CHECK (length(maker) = 18),
    created_at_ms INTEGER NOT NULL,
    revoked_at_ms INTEGER,
    PRIMARY KEY (campaign_no, number),
    CONSTRAINT links_enrollment_known
        FOREIGN KEY (campaign_no, enrollment_id) REFERENCES enrollments (campaign_no, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX links_by_enrollment ON links (campaign_no, enrollment_id);

-- Other names of links. Never changes: the link is revoked instead.
CREATE TABLE slugs (
    slug TEXT PRIMARY KEY,
    campaign_id BLOB NOT NULL CONSTRAINT slugs_campaign_has_16_bytes CHECK (length(campaign_id) = 16),
    link_number INTEGER NOT NULL,
    created_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Only revoked_at_ms changes, once. A code that was issued is never issued to anybody else.
CREATE TABLE promo_codes (
    brand_id BLOB NOT NULL REFERENCES brands (id),
    -- The form under which codes are looked up.
    folded TEXT NOT NULL,
    campaign_id BLOB NOT NULL
        CONSTRAINT promo_codes_campaign_has_16_bytes CHECK (length(campaign_id) = 16),
    enrollment_id BLOB NOT NULL
        CONSTRAINT promo_codes_enrollment_has_16_bytes CHECK (length(enrollment_id) = 16),
    -- The part that the creator chose, and the whole as it is shown.
    readable TEXT NOT NULL,
    display TEXT NOT NULL,
    -- The master key that its check characters come from.
    key_id INTEGER NOT NULL,
    created_at_ms INTEGER NOT NULL,
    revoked_at_ms INTEGER,
    PRIMARY KEY (brand_id, folded)
) STRICT, WITHOUT ROWID;
CREATE INDEX promo_codes_by_enrollment ON promo_codes (campaign_id, enrollment_id);

-- The key behind a campaign's composite keys, encrypted. It is destroyed once and never replaced:
-- under another key a repeated delivery would be taken for a new event (INV-4).
CREATE TABLE campaign_keys (
    campaign_no INTEGER PRIMARY KEY REFERENCES campaigns (no),
    wrapped BLOB,
    -- The master key that it is wrapped with.
    key_id INTEGER NOT NULL,
    created_at_ms INTEGER NOT NULL,
    erased_at_ms INTEGER,
    CONSTRAINT campaign_keys_until_erased CHECK ((wrapped IS NULL) = (erased_at_ms IS NOT NULL))
) STRICT;

-- What was refused of a brand's reports: the newest few of each brand, older ones leave.
CREATE TABLE near_misses (
    brand_id BLOB NOT NULL REFERENCES brands (id),
    -- Counts up in each brand.
    no INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    -- Stable code of the refusal, and the field that it is about.
    code TEXT NOT NULL,
    field TEXT,
    campaign_id BLOB,
    -- Short, and nothing about a person.
    detail TEXT NOT NULL,
    PRIMARY KEY (brand_id, no)
) STRICT, WITHOUT ROWID;

-- How many of each, by UTC day since 1970. Old days leave.
CREATE TABLE near_miss_counts (
    brand_id BLOB NOT NULL REFERENCES brands (id),
    day INTEGER NOT NULL,
    code TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (brand_id, day, code)
) STRICT, WITHOUT ROWID;

-- REPLACE passes triggers on UPDATE and DELETE, so each guarded table also refuses an insert over
-- a row that is there.

CREATE TRIGGER registry_versions_grow BEFORE UPDATE ON registry_versions
WHEN new.one IS NOT old.one OR new.version <= old.version
BEGIN SELECT raise(ABORT, 'registry_versions_grow'); END;
CREATE TRIGGER registry_versions_stay BEFORE DELETE ON registry_versions
BEGIN SELECT raise(ABORT, 'registry_versions_grow'); END;
CREATE TRIGGER registry_versions_once BEFORE INSERT ON registry_versions
BEGIN SELECT raise(ABORT, 'registry_versions_grow'); END;

CREATE TRIGGER brands_keep_id BEFORE UPDATE ON brands
WHEN new.id IS NOT old.id OR new.created_at_ms IS NOT old.created_at_ms
BEGIN SELECT raise(ABORT, 'brands_stay'); END;
CREATE TRIGGER brands_stay BEFORE DELETE ON brands
BEGIN SELECT raise(ABORT, 'brands_stay'); END;
CREATE TRIGGER brands_once BEFORE INSERT ON brands
WHEN EXISTS (SELECT 1 FROM brands WHERE id = new.id)
BEGIN SELECT raise(ABORT, 'brands_stay'); END;

CREATE TRIGGER creators_keep_id BEFORE UPDATE ON creators
WHEN new.id IS NOT old.id OR new.created_at_ms IS NOT old.created_at_ms
    OR old.erased_at_ms IS NOT NULL
BEGIN SELECT raise(ABORT, 'creators_stay'); END;
CREATE TRIGGER creators_stay BEFORE DELETE ON creators
BEGIN SELECT raise(ABORT, 'creators_stay'); END;
CREATE TRIGGER creators_once BEFORE INSERT ON creators
WHEN EXISTS (SELECT 1 FROM creators WHERE id = new.id)
BEGIN SELECT raise(ABORT, 'creators_stay'); END;

CREATE TRIGGER campaign_owners_never_change BEFORE UPDATE ON campaign_owners
BEGIN SELECT raise(ABORT, 'campaign_owners_never_change'); END;
CREATE TRIGGER campaign_owners_stay BEFORE DELETE ON campaign_owners
BEGIN SELECT raise(ABORT, 'campaign_owners_never_change'); END;
CREATE TRIGGER campaign_owners_once BEFORE INSERT ON campaign_owners
WHEN EXISTS (SELECT 1 FROM campaign_owners WHERE campaign_no = new.campaign_no)
BEGIN SELECT raise(ABORT, 'campaign_owners_never_change'); END;

CREATE TRIGGER enrollment_creators_are_erased_only BEFORE UPDATE ON enrollment_creators
WHEN new.campaign_no IS NOT old.campaign_no OR new.enrollment_id IS NOT old.enrollment_id
    OR new.created_at_ms IS NOT old.created_at_ms OR old.erased_at_ms IS NOT NULL
    OR new.creator_id IS NOT NULL
BEGIN SELECT raise(ABORT, 'enrollment_creators_are_erased_only'); END;
CREATE TRIGGER enrollment_creators_stay BEFORE DELETE ON enrollment_creators
BEGIN SELECT raise(ABORT, 'enrollment_creators_are_erased_only'); END;
CREATE TRIGGER enrollment_creators_once BEFORE INSERT ON enrollment_creators
WHEN EXISTS (SELECT 1 FROM enrollment_creators
    WHERE campaign_no = new.campaign_no AND enrollment_id = new.enrollment_id)
BEGIN SELECT raise(ABORT, 'enrollment_creators_are_erased_only'); END;

CREATE TRIGGER api_keys_keep_their_secret BEFORE UPDATE ON api_keys
WHEN new.id IS NOT old.id OR new.brand_id IS NOT old.brand_id
    OR new.secret_hash IS NOT old.secret_hash OR new.scopes IS NOT old.scopes
    OR new.needs_signature IS NOT old.needs_signature
    OR new.signing_secret_wrapped IS NOT old.signing_secret_wrapped
    OR new.created_at_ms IS NOT old.created_at_ms
    OR (old.revoked_at_ms IS NOT NULL AND new.revoked_at_ms IS NOT old.revoked_at_ms)
    OR (old.expires_at_ms IS NOT NULL
        AND (new.expires_at_ms IS NULL OR new.expires_at_ms > old.expires_at_ms))
BEGIN SELECT raise(ABORT, 'api_keys_keep_their_secret'); END;
CREATE TRIGGER api_keys_stay BEFORE DELETE ON api_keys
BEGIN SELECT raise(ABORT, 'api_keys_keep_their_secret'); END;
CREATE TRIGGER api_keys_once BEFORE INSERT ON api_keys
WHEN EXISTS (SELECT 1 FROM api_keys WHERE id = new.id OR secret_hash = new.secret_hash)
BEGIN SELECT raise(ABORT, 'api_keys_keep_their_secret'); END;

CREATE TRIGGER links_are_revoked_only BEFORE UPDATE ON links
WHEN new.campaign_no IS NOT old.campaign_no OR new.number IS NOT old.number
    OR new.enrollment_id IS NOT old.enrollment_id OR new.destination IS NOT old.destination
    OR new.created_at_ms IS NOT old.created_at_ms OR new.maker IS NOT old.maker
    OR (old.revoked_at_ms IS NOT NULL AND new.revoked_at_ms IS NOT old.revoked_at_ms)
BEGIN SELECT raise(ABORT, 'links_are_revoked_only'); END;
CREATE TRIGGER links_stay BEFORE DELETE ON links
BEGIN SELECT raise(ABORT, 'links_are_revoked_only'); END;
CREATE TRIGGER links_are_consecutive BEFORE INSERT ON links
WHEN new.number IS NOT
    (SELECT ifnull(max(number), 0) + 1 FROM links WHERE campaign_no = new.campaign_no)
BEGIN SELECT raise(ABORT, 'links_are_consecutive'); END;

CREATE TRIGGER slugs_never_change BEFORE UPDATE ON slugs
BEGIN SELECT raise(ABORT, 'slugs_never_change'); END;
CREATE TRIGGER slugs_stay BEFORE DELETE ON slugs
BEGIN SELECT raise(ABORT, 'slugs_never_change'); END;
CREATE TRIGGER slugs_once BEFORE INSERT ON slugs
WHEN EXISTS (SELECT 1 FROM slugs WHERE slug = new.slug)
BEGIN SELECT raise(ABORT, 'slugs_never_change'); END;

CREATE TRIGGER promo_codes_are_revoked_only BEFORE UPDATE ON promo_codes
WHEN new.brand_id IS NOT old.brand_id OR new.folded IS NOT old.folded
    OR new.campaign_id IS NOT old.campaign_id OR new.enrollment_id IS NOT old.enrollment_id
    OR new.readable IS NOT old.readable OR new.display IS NOT old.display
    OR new.key_id IS NOT old.key_id OR new.created_at_ms IS NOT old.created_at_ms
    OR (old.revoked_at_ms IS NOT NULL AND new.revoked_at_ms IS NOT old.revoked_at_ms)
BEGIN SELECT raise(ABORT, 'promo_codes_are_revoked_only'); END;
CREATE TRIGGER promo_codes_stay BEFORE DELETE ON promo_codes
BEGIN SELECT raise(ABORT, 'promo_codes_are_revoked_only'); END;
CREATE TRIGGER promo_codes_once BEFORE INSERT ON promo_codes
WHEN EXISTS (SELECT 1 FROM promo_codes WHERE brand_id = new.brand_id AND folded = new.folded)
BEGIN SELECT raise(ABORT, 'promo_codes_are_revoked_only'); END;

CREATE TRIGGER campaign_keys_are_destroyed_only BEFORE UPDATE ON campaign_keys
WHEN new.campaign_no IS NOT old.campaign_no OR new.key_id IS NOT old.key_id
    OR new.created_at_ms IS NOT old.created_at_ms OR old.erased_at_ms IS NOT NULL
    OR new.wrapped IS NOT NULL
BEGIN SELECT raise(ABORT, 'campaign_keys_are_destroyed_only (INV-4)'); END;
CREATE TRIGGER campaign_keys_stay BEFORE DELETE ON campaign_keys
BEGIN SELECT raise(ABORT, 'campaign_keys_are_destroyed_only (INV-4)'); END;
CREATE TRIGGER campaign_keys_once BEFORE INSERT ON campaign_keys
WHEN EXISTS (SELECT 1 FROM campaign_keys WHERE campaign_no = new.campaign_no)
BEGIN SELECT raise(ABORT, 'campaign_keys_are_destroyed_only (INV-4)'); END;
