-- Users become a list that decides: what each may do here, until when, and in which team. A token of
-- the identity provider says who somebody is; what they may do is looked up here, so that whoever is
-- taken a role loses it at once and not when the token ends.
ALTER TABLE users RENAME TO users_before;
DROP TRIGGER users_never_change;
DROP TRIGGER users_stay;
DROP TRIGGER users_once;

CREATE TABLE users (
    subject TEXT PRIMARY KEY,
    role TEXT NOT NULL CONSTRAINT users_role_known
        CHECK (role IN ('viewer', 'member', 'owner', 'creator', 'admin')),
    -- The brand or creator; operators own nothing.
    party BLOB CONSTRAINT users_party_has_16_bytes CHECK (party IS NULL OR length(party) = 16),
    -- The identity provider's organisation through which somebody is in a brand's team.
    organisation TEXT,
    created_at_ms INTEGER NOT NULL,
    changed_at_ms INTEGER NOT NULL,
    -- From when on nothing is allowed; null while it is.
    suspended_at_ms INTEGER,
    CONSTRAINT users_party_fits_role CHECK ((party IS NULL) = (role = 'admin'))
) STRICT, WITHOUT ROWID;

INSERT INTO users (subject, role, party, created_at_ms, changed_at_ms)
SELECT subject, CASE role WHEN 'brand' THEN 'owner' ELSE role END, party, created_at_ms, created_at_ms
FROM users_before;
DROP TABLE users_before;

CREATE UNIQUE INDEX users_creator_unique ON users (party) WHERE role = 'creator';
CREATE INDEX users_of_party ON users (party);
CREATE INDEX users_of_organisation ON users (organisation);

-- Who somebody is never changes; what they may do does, within their side.
CREATE TRIGGER users_stay_who_they_are BEFORE UPDATE ON users
WHEN new.subject IS NOT old.subject OR new.party IS NOT old.party
    OR new.created_at_ms IS NOT old.created_at_ms OR new.changed_at_ms < old.changed_at_ms
    OR (old.role IN ('creator', 'admin') AND new.role IS NOT old.role)
    OR (new.role IN ('creator', 'admin') AND new.role IS NOT old.role)
BEGIN SELECT raise(ABORT, 'users_stay_who_they_are'); END;
CREATE TRIGGER users_stay BEFORE DELETE ON users
BEGIN SELECT raise(ABORT, 'users_stay_who_they_are'); END;
CREATE TRIGGER users_once BEFORE INSERT ON users
WHEN EXISTS (SELECT 1 FROM users WHERE subject = new.subject)
BEGIN SELECT raise(ABORT, 'users_stay_who_they_are'); END;
