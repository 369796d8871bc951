-- Who asked for something to be changed: rows are appended and stay. Nothing personal is in it: users
-- and sessions by the identity provider's ids, networks under the keyring's pepper.
CREATE TABLE access_log (
    no INTEGER PRIMARY KEY CONSTRAINT access_log_no_counts CHECK (no > 0),
    at_ms INTEGER NOT NULL,
    -- The user's or the API key's id.
    subject TEXT NOT NULL,
    role TEXT NOT NULL,
    -- The session; none of API keys.
    session TEXT,
    method TEXT NOT NULL,
    path TEXT NOT NULL,
    status INTEGER NOT NULL,
    network BLOB NOT NULL CONSTRAINT access_log_network_has_8_bytes CHECK (length(network) = 8)
) STRICT;

CREATE TRIGGER access_log_never_changes BEFORE UPDATE ON access_log
BEGIN SELECT raise(ABORT, 'access_log_never_changes'); END;
CREATE TRIGGER access_log_stays BEFORE DELETE ON access_log
BEGIN SELECT raise(ABORT, 'access_log_never_changes'); END;
CREATE TRIGGER access_log_once BEFORE INSERT ON access_log
WHEN EXISTS (SELECT 1 FROM access_log WHERE no = new.no)
BEGIN SELECT raise(ABORT, 'access_log_never_changes'); END;
