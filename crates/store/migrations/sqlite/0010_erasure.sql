-- What may be personal leaves: on request, when nothing is owed any more, and at the end of its time.

-- Since when a creator is to be erased; it waits while money is owed.
ALTER TABLE creators ADD COLUMN erasure_asked_at_ms INTEGER;
CREATE INDEX creators_to_erase ON creators (erasure_asked_at_ms)
WHERE erasure_asked_at_ms IS NOT NULL AND erased_at_ms IS NULL;

-- What people wrote for a reason. Entries cannot forget, so they name a note, and the text stands here.
-- A note never changes; it leaves with the creator whom it is about.
CREATE TABLE notes (
    campaign_no INTEGER NOT NULL REFERENCES campaigns (no),
    id BLOB NOT NULL CONSTRAINT notes_id_has_16_bytes CHECK (length(id) = 16),
    -- Whose conversion or payout it is about; null for the campaign's own matters.
    enrollment_id BLOB,
    text TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    PRIMARY KEY (campaign_no, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX notes_by_enrollment ON notes (campaign_no, enrollment_id);

CREATE TRIGGER notes_never_change BEFORE UPDATE ON notes
BEGIN SELECT raise(ABORT, 'notes_never_change'); END;
CREATE TRIGGER notes_once BEFORE INSERT ON notes
WHEN EXISTS (SELECT 1 FROM notes WHERE campaign_no = new.campaign_no AND id = new.id)
BEGIN SELECT raise(ABORT, 'notes_never_change'); END;

-- The answer to a request may be emptied once it was given: it repeats what its sender said.
DROP TRIGGER api_requests_are_answered_once;
CREATE TRIGGER api_requests_are_answered_once BEFORE UPDATE ON api_requests
WHEN new.subject IS NOT old.subject OR new.key IS NOT old.key
    OR new.fingerprint IS NOT old.fingerprint OR new.seed IS NOT old.seed
    OR new.created_at_ms IS NOT old.created_at_ms
    OR (old.status IS NOT NULL AND (new.status IS NOT old.status
        OR new.answered_at_ms IS NOT old.answered_at_ms OR length(new.body) > 0))
BEGIN SELECT raise(ABORT, 'api_requests_are_answered_once'); END;

-- With a creator who is erased go the names of their links, their codes, their account at the provider
-- and what their links say of their device; while the mapping still tells whose those are.
DROP TRIGGER recipients_stay;
CREATE TRIGGER recipients_stay BEFORE DELETE ON recipients
WHEN NOT EXISTS
    (SELECT 1 FROM creators WHERE id = old.creator_id AND erased_at_ms IS NOT NULL)
BEGIN SELECT raise(ABORT, 'recipients_keep_account'); END;

DROP TRIGGER slugs_stay;
CREATE TRIGGER slugs_stay BEFORE DELETE ON slugs
WHEN NOT EXISTS (SELECT 1 FROM campaigns c
    JOIN links l ON l.campaign_no = c.no AND l.number = old.link_number
    JOIN enrollment_creators e
        ON e.campaign_no = l.campaign_no AND e.enrollment_id = l.enrollment_id
    JOIN creators p ON p.id = e.creator_id
    WHERE c.id = old.campaign_id AND p.erased_at_ms IS NOT NULL)
BEGIN SELECT raise(ABORT, 'slugs_never_change'); END;

DROP TRIGGER promo_codes_stay;
CREATE TRIGGER promo_codes_stay BEFORE DELETE ON promo_codes
WHEN NOT EXISTS (SELECT 1 FROM campaigns c
    JOIN enrollment_creators e ON e.campaign_no = c.no AND e.enrollment_id = old.enrollment_id
    JOIN creators p ON p.id = e.creator_id
    WHERE c.id = old.campaign_id AND p.erased_at_ms IS NOT NULL)
BEGIN SELECT raise(ABORT, 'promo_codes_are_revoked_only'); END;

DROP TRIGGER links_are_revoked_only;
CREATE TRIGGER links_are_revoked_only BEFORE UPDATE ON links
WHEN new.campaign_no IS NOT old.campaign_no OR new.number IS NOT old.number
    OR new.enrollment_id IS NOT old.enrollment_id OR new.destination IS NOT old.destination
    OR new.created_at_ms IS NOT old.created_at_ms
    OR (new.maker IS NOT old.maker AND new.maker IS NOT NULL)
    OR (old.revoked_at_ms IS NOT NULL AND new.revoked_at_ms IS NOT old.revoked_at_ms)
BEGIN SELECT raise(ABORT, 'links_are_revoked_only'); END;

-- The access log leaves from its old end only, so that nobody takes a row out of its midst; and the newest
-- row stays, so that nobody empties it and no number comes again.
DROP TRIGGER access_log_stays;
CREATE TRIGGER access_log_stays BEFORE DELETE ON access_log
WHEN EXISTS (SELECT 1 FROM access_log WHERE no < old.no)
    OR NOT EXISTS (SELECT 1 FROM access_log WHERE no > old.no)
BEGIN SELECT raise(ABORT, 'access_log_never_changes'); END;
