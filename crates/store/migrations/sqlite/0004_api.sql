-- Who uses the API, and what was asked of it under which idempotency key. Small tables that all
-- campaigns share.

-- Whom the identity provider's users are here. Never changes: another role is another user.
CREATE TABLE users (
    subject TEXT PRIMARY KEY,
    -- `brand` or `creator`; operators own nothing and have no row.
    role TEXT NOT NULL CONSTRAINT users_role_known CHECK (role IN ('brand', 'creator')),
    party BLOB NOT NULL CONSTRAINT users_party_unique UNIQUE
        CONSTRAINT users_party_has_16_bytes CHECK (length(party) = 16),
    created_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Requests that change something, by the caller's key. What was asked never changes; the answer is
-- written once. Rows stay: keys on money never expire.
CREATE TABLE api_requests (
    subject TEXT NOT NULL,
    key TEXT NOT NULL,
    -- SHA-256 of method, path and body.
    fingerprint BLOB NOT NULL
        CONSTRAINT api_requests_fingerprint_has_32_bytes CHECK (length(fingerprint) = 32),
    -- What ids of things that the request makes come from, so that a repetition makes the same.
    seed BLOB NOT NULL CONSTRAINT api_requests_seed_has_16_bytes CHECK (length(seed) = 16),
    created_at_ms INTEGER NOT NULL,
    status INTEGER,
    body BLOB,
    answered_at_ms INTEGER,
    PRIMARY KEY (subject, key),
    CONSTRAINT api_requests_answer_is_whole
        CHECK ((status IS NULL) = (body IS NULL) AND (status IS NULL) = (answered_at_ms IS NULL))
) STRICT, WITHOUT ROWID;

CREATE TRIGGER users_never_change BEFORE UPDATE ON users
BEGIN SELECT raise(ABORT, 'users_never_change'); END;
CREATE TRIGGER users_stay BEFORE DELETE ON users
BEGIN SELECT raise(ABORT, 'users_never_change'); END;
CREATE TRIGGER users_once BEFORE INSERT ON users
WHEN EXISTS (SELECT 1 FROM users WHERE subject = new.subject OR party = new.party)
BEGIN SELECT raise(ABORT, 'users_never_change'); END;

CREATE TRIGGER api_requests_are_answered_once BEFORE UPDATE ON api_requests
WHEN new.subject IS NOT old.subject OR new.key IS NOT old.key
    OR new.fingerprint IS NOT old.fingerprint OR new.seed IS NOT old.seed
    OR new.created_at_ms IS NOT old.created_at_ms OR old.status IS NOT NULL
BEGIN SELECT raise(ABORT, 'api_requests_are_answered_once'); END;
CREATE TRIGGER api_requests_stay BEFORE DELETE ON api_requests
BEGIN SELECT raise(ABORT, 'api_requests_are_answered_once'); END;
CREATE TRIGGER api_requests_once BEFORE INSERT ON api_requests
WHEN EXISTS (SELECT 1 FROM api_requests WHERE subject = new.subject AND key = new.key)
BEGIN SELECT raise(ABORT, 'api_requests_are_answered_once'); END;
