-- What was sent to the payment provider to move money, and what came of it, with the provider's own
-- ids of the exchange: its support finds an exchange by these. The ledger says what happened to the
-- money; this says where to ask.
CREATE TABLE provider_exchanges (
    campaign_id BLOB NOT NULL
        CONSTRAINT provider_exchanges_campaign_has_16_bytes CHECK (length(campaign_id) = 16),
    -- 1, 2, 3, … in each campaign.
    no INTEGER NOT NULL CONSTRAINT provider_exchanges_no_counts CHECK (no > 0),
    -- The entry that planned the payout or refund.
    planned INTEGER NOT NULL,
    -- The idempotency key that was sent.
    key TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    -- `done`, `refused` or `unknown`.
    outcome TEXT NOT NULL CONSTRAINT provider_exchanges_outcome_known
        CHECK (outcome IN ('done', 'refused', 'unknown')),
    -- The provider's ids, in the order of sending, with commas between them; empty where none came.
    requests TEXT NOT NULL,
    PRIMARY KEY (campaign_id, no)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER provider_exchanges_never_change BEFORE UPDATE ON provider_exchanges
BEGIN SELECT raise(ABORT, 'provider_exchanges_never_change'); END;
CREATE TRIGGER provider_exchanges_stay BEFORE DELETE ON provider_exchanges
BEGIN SELECT raise(ABORT, 'provider_exchanges_never_change'); END;
CREATE TRIGGER provider_exchanges_once BEFORE INSERT ON provider_exchanges
WHEN EXISTS (SELECT 1 FROM provider_exchanges 
    WHERE campaign_id = new.campaign_id AND no = new.no)
BEGIN SELECT raise(ABORT, 'provider_exchanges_never_change'); END;
