-- Bodies of the provider's events may hold who a buyer is. They are kept as long as somebody may have to
-- look at one, and then forgotten; that the event was there, and what came of it, stays.
DROP TRIGGER provider_events_never_change;
CREATE TRIGGER provider_events_never_change BEFORE UPDATE ON provider_events
WHEN new.id IS NOT old.id OR new.endpoint IS NOT old.endpoint OR new.kind IS NOT old.kind
    OR new.created_at_ms IS NOT old.created_at_ms OR new.received_at_ms IS NOT old.received_at_ms
    OR new.recipient IS NOT old.recipient OR new.object IS NOT old.object
    OR new.payment IS NOT old.payment
    OR (new.raw IS NOT old.raw AND (old.done_at_ms IS NULL OR length(new.raw) > 0))
    OR (old.done_at_ms IS NOT NULL AND (new.tries IS NOT old.tries
        OR new.retry_at_ms IS NOT old.retry_at_ms OR new.done_at_ms IS NOT old.done_at_ms
        OR new.outcome IS NOT old.outcome))
BEGIN SELECT raise(ABORT, 'provider_events_never_change'); END;

CREATE INDEX provider_events_remembered ON provider_events (done_at_ms)
WHERE done_at_ms IS NOT NULL AND length(raw) > 0;
