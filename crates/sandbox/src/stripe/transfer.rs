//! `/v1/transfers`: money to a connected account, at once and without a status, and back.
//!
//! A plain transfer spends what is available. One that names a charge as its source does not wait
//! for that charge's money, but all of them together never exceed it.

use serde_json::{Value, json};

use super::books::Books;
use super::error::Refusal;
use super::form::Params;
use super::object::{Charge, ChargeStatus, Metadata, Reversal, Transfer};
use super::shelf::{Object as _, Page};

/// Reversals that are shown inside their transfer.
const EMBEDDED_MAX: usize = 10;

/// What was asked for.
struct Wanted {
    amount: i64,
    currency: String,
    destination: String,
    source: Option<String>,
    group: Option<String>,
    description: Option<String>,
    metadata: Metadata,
}

pub(crate) fn create(books: &mut Books, mut params: Params) -> Result<Value, Refusal> {
    let wanted = Wanted {
        amount: params.required_amount("amount")?,
        currency: params.required_currency("currency")?,
        destination: params.required_text("destination")?,
        source: params.text("source_transaction")?,
        group: params.text("transfer_group")?,
        description: params.text("description")?,
        metadata: params.metadata()?,
    };
    let source_type = params.choice("source_type", &["card"])?.unwrap_or("card");
    params.finish()?;
    check_destination(books, &wanted.destination)?;
    let source = wanted.source.as_ref();
    let source = source.map(|charge| check_source(books, &wanted, charge)).transpose()?;
    if source.is_none() {
        check_balance(books, &wanted)?;
    }
    let id = books.chance.id("tr");
    let available_on = source.as_ref().map_or(books.now_s(), |charge| available(books, charge));
    let money = (-wanted.amount, 0, wanted.currency.as_str());
    let balance_transaction = books.move_money("transfer", &id, money, available_on);
    let group = wanted.group.or_else(|| source.and_then(|charge| charge.transfer_group));
    let transfer = Transfer {
        object: "transfer",
        amount: wanted.amount,
        amount_reversed: 0,
        balance_transaction,
        created: books.now_s(),
        description: wanted.description,
        destination_payment: books.chance.id("py"),
        livemode: false,
        reversals: embedded(&id, &[], 0),
        reversed: false,
        source_transaction: wanted.source,
        source_type,
        transfer_group: group,
        currency: wanted.currency,
        destination: wanted.destination,
        metadata: wanted.metadata,
        id,
    };
    note(books, &transfer, "transfer", &transfer.id, -transfer.amount);
    books.plan_bank_payout(&transfer, available_on);
    let rendered = transfer.render();
    books.transfers.put(transfer);
    books.tell("transfer.created", &rendered);
    Ok(rendered)
}

fn check_destination(books: &Books, destination: &str) -> Result<(), Refusal> {
    let account = books.accounts.in_parameter(destination, "destination")?;
    if account.capabilities.get("transfers") == Some(&"active") {
        return Ok(());
    }
    let message = "Your destination account needs to have at least one of the following \
                   capabilities enabled: transfers, crypto_transfers, legacy_payments";
    Err(Refusal::executed("insufficient_capabilities_for_transfer", message))
}

fn check_balance(books: &Books, wanted: &Wanted) -> Result<(), Refusal> {
    let (available, _) = books.sums(&wanted.currency);
    if wanted.amount <= available {
        return Ok(());
    }
    let message = "You have insufficient available funds in your Stripe account. Try adding funds \
                   directly to your available balance by creating Charges using the \
                   4000000000000077 test card. See: \
                   https://stripe.com/docs/testing#available-balance";
    Err(Refusal::executed("balance_insufficient", message))
}

fn check_source(books: &Books, wanted: &Wanted, charge: &str) -> Result<Charge, Refusal> {
    let charge = books.charges.in_parameter(charge, "source_transaction")?;
    if charge.status == ChargeStatus::Failed {
        let message = "The charge of this source_transaction has failed.";
        return Err(Refusal::uncoded(message).about("source_transaction"));
    }
    if charge.currency != wanted.currency {
        let message = "The currency of source_transaction's balance transaction must be the same \
                       as the transfer currency.";
        return Err(Refusal::uncoded(message).about("currency"));
    }
    let ours =
        books.transfers.iter().filter(|one| one.source_transaction.as_ref() == Some(&charge.id));
    let moved: i64 = ours.map(|one| one.amount - one.amount_reversed).sum();
    if moved.saturating_add(wanted.amount) > charge.amount {
        let message = format!(
            "Transfers using this transaction as a source must not exceed the source amount of \
             {}. (There are already existing transfers totaling {moved}.)",
            charge.amount
        );
        return Err(Refusal::uncoded(message).about("source_transaction"));
    }
    Ok(charge.clone())
}

/// When money that comes from a charge can be spent, seconds.
fn available(books: &Books, charge: &Charge) -> i64 {
    let transaction = charge.balance_transaction.as_ref();
    let transaction = transaction.and_then(|id| books.balance_transactions.get(id));
    transaction.map_or_else(|| books.available_on(), |one| one.available_on)
}

fn note(books: &mut Books, transfer: &Transfer, kind: &'static str, id: &str, amount: i64) {
    let movement = books.note(kind, id, (amount, &transfer.currency));
    movement.charge.clone_from(&transfer.source_transaction);
    movement.destination = Some(transfer.destination.clone());
    movement.transfer_group.clone_from(&transfer.transfer_group);
    movement.metadata = transfer.metadata.clone();
}

fn embedded(transfer: &str, reversals: &[Value], total: usize) -> Value {
    json!({
        "object": "list", "data": reversals, "has_more": total > reversals.len(),
        "total_count": total, "url": format!("/v1/transfers/{transfer}/reversals"),
    })
}

pub(crate) fn list(books: &Books, mut params: Params) -> Result<Value, Refusal> {
    let page = Page::of(&mut params)?;
    let group = params.text("transfer_group")?;
    let destination = params.text("destination")?;
    params.finish()?;
    books.transfers.page(&page, "/v1/transfers", |transfer| {
        (group.is_none() || transfer.transfer_group == group)
            && destination.as_ref().is_none_or(|account| *account == transfer.destination)
    })
}

pub(crate) fn reverse(books: &mut Books, id: &str, mut params: Params) -> Result<Value, Refusal> {
    let amount = params.amount("amount")?;
    params.text("description")?;
    let metadata = params.metadata()?;
    params.finish()?;
    let transfer = books.transfers.in_path(id)?;
    let rest = transfer.amount - transfer.amount_reversed;
    if rest == 0 {
        return Err(Refusal::uncoded(format!("Transfer {id} is already fully reversed.")));
    }
    let amount = amount.unwrap_or(rest);
    if amount > rest {
        let message =
            format!("Amount ({amount}) is greater than what is left to reverse ({rest}).");
        return Err(Refusal::uncoded(message).about("amount"));
    }
    Ok(books.reverse_transfer(id, amount, metadata))
}

pub(crate) fn list_reversals(
    books: &Books,
    id: &str,
    mut params: Params,
) -> Result<Value, Refusal> {
    let page = Page::of(&mut params)?;
    params.finish()?;
    books.transfers.in_path(id)?;
    let url = format!("/v1/transfers/{id}/reversals");
    books.reversals.page(&page, &url, |reversal| reversal.transfer == id)
}

impl Books {
    fn reverse_transfer(&mut self, id: &str, amount: i64, metadata: Metadata) -> Value {
        let transfer = self.transfers.known(id).clone();
        let reversal_id = self.chance.id("trr");
        let spendable = self.balance_transactions.known(&transfer.balance_transaction).available_on;
        let money = (amount, 0, transfer.currency.as_str());
        let transaction = self.move_money("transfer_refund", &reversal_id, money, spendable);
        let reversal = Reversal {
            id: reversal_id,
            object: "transfer_reversal",
            amount,
            balance_transaction: transaction,
            created: self.now_s(),
            currency: transfer.currency.clone(),
            destination_payment_refund: self.chance.id("pyr"),
            metadata,
            source_refund: None,
            transfer: id.to_owned(),
        };
        note(self, &transfer, "transfer_reversal", &reversal.id, amount);
        let rendered = reversal.render();
        self.reversals.put(reversal);
        let ours: Vec<Value> = self
            .reversals
            .iter()
            .rev()
            .filter(|one| one.transfer == id)
            .map(Reversal::render)
            .collect();
        let shown = &ours[..ours.len().min(EMBEDDED_MAX)];
        let kept = self.transfers.known(id);
        kept.amount_reversed += amount;
        kept.reversed = kept.amount_reversed == kept.amount;
        kept.reversals = embedded(id, shown, ours.len());
        let told = kept.render();
        self.tell("transfer.reversed", &told);
        rendered
    }

    /// The payment behind a charge did not come: what was passed on from it comes back.
    pub(crate) fn reverse_transfers_of(&mut self, charge: &str) {
        let ours =
            self.transfers.iter().filter(|one| one.source_transaction.as_deref() == Some(charge));
        let open: Vec<(String, i64)> = ours
            .map(|one| (one.id.clone(), one.amount - one.amount_reversed))
            .filter(|(_, rest)| *rest > 0)
            .collect();
        for (id, rest) in open {
            self.reverse_transfer(&id, rest, Metadata::new());
        }
    }
}
