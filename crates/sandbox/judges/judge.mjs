// The official clients judge a running sandbox: node judge.mjs <base url>.
// The clock of that sandbox must be real, since the clients compare with their own.

import assert from "node:assert/strict";
import http from "node:http";
import { verifyToken } from "@clerk/backend";
import Stripe from "stripe";

const base = new URL(process.argv[2]);

const stripe = new Stripe("sk_test_judge", {
  host: base.hostname,
  port: Number(base.port),
  protocol: "http",
  maxNetworkRetries: 0,
  telemetry: false,
});

async function control(path, body) {
  const response = await fetch(new URL(path, base), {
    method: body === undefined ? "GET" : "POST",
    headers: { "content-type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  assert.equal(response.status, 200, path);
  return response.json();
}

async function refused(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  return assert.fail("this had to be refused");
}

// Somebody who is told of events, and keeps them as they came.
async function listen() {
  const got = [];
  const server = http.createServer((request, response) => {
    const chunks = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => {
      got.push({ raw: Buffer.concat(chunks), signature: request.headers["stripe-signature"] });
      response.end();
    });
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return { got, server, url: `http://127.0.0.1:${server.address().port}/hook` };
}

async function deposit() {
  const session = await stripe.checkout.sessions.create({
    mode: "payment",
    line_items: [
      {
        quantity: 1,
        price_data: { currency: "usd", unit_amount: 100_000, product_data: { name: "Deposit" } },
      },
    ],
    success_url: "http://127.0.0.1/done?session={CHECKOUT_SESSION_ID}",
    client_reference_id: "cmp_1",
    payment_intent_data: { transfer_group: "cmp_1", metadata: { campaign: "cmp_1" } },
  });
  assert.equal(session.status, "open");
  assert.match(session.lastResponse.requestId, /^req_/);
  await control(`/_control/checkout/${session.id}/pay`, { method: "card", outcome: "succeed" });
  await control("/_control/clock", { advance_ms: 1_000 });
  const paid = await stripe.checkout.sessions.retrieve(session.id, {
    expand: ["payment_intent.latest_charge.balance_transaction"],
  });
  assert.equal(paid.payment_status, "paid");
  const charge = paid.payment_intent.latest_charge;
  assert.equal(charge.balance_transaction.fee, 2_930);
  assert.equal(charge.transfer_group, "cmp_1");
  return { charge: charge.id, session: session.id };
}

async function onboard() {
  const account = await stripe.accounts.create({
    type: "express",
    country: "US",
    capabilities: { transfers: { requested: true } },
  });
  assert.equal(account.capabilities.transfers, "inactive");
  const link = await stripe.accountLinks.create({
    account: account.id,
    type: "account_onboarding",
    refresh_url: "http://127.0.0.1/again",
    return_url: "http://127.0.0.1/back",
  });
  assert.equal(link.expires_at - link.created, 300);
  await control(`/_control/accounts/${account.id}/onboard`, {});
  assert.equal((await stripe.accounts.retrieve(account.id)).capabilities.transfers, "active");
  return account.id;
}

async function transfer(charge, destination) {
  const asked = {
    amount: 5_000,
    currency: "usd",
    destination,
    source_transaction: charge,
    transfer_group: "cmp_1",
    metadata: { payout_id: "pay_1" },
  };
  const key = { idempotencyKey: "pay_1:a1" };
  const first = await stripe.transfers.create(asked, key);
  const second = await stripe.transfers.create(asked, key);
  assert.equal(second.id, first.id);
  assert.equal(second.lastResponse.headers["idempotent-replayed"], "true");
  const other = await refused(stripe.transfers.create({ ...asked, amount: 5_001 }, key));
  assert.ok(other instanceof Stripe.errors.StripeIdempotencyError, other.type);
  const list = await stripe.transfers.list({ transfer_group: "cmp_1", destination }).autoPagingToArray({ limit: 100 });
  assert.deepEqual(list.map((one) => one.id), [first.id]);
  const ledger = await control("/_control/ledger");
  assert.equal(ledger.payouts.pay_1.transfers, 1);

  const broke = await refused(stripe.transfers.create({ amount: 9_999_999, currency: "usd", destination }));
  assert.ok(broke instanceof Stripe.errors.StripeInvalidRequestError, broke.type);
  assert.equal(broke.code, "balance_insufficient");
  const strange = await refused(stripe.transfers.create({ ...asked, surprise: "x" }));
  assert.equal(strange.code, "parameter_unknown");
  const stranger = new Stripe("sk_live_x", { host: base.hostname, port: Number(base.port), protocol: "http" });
  const closed = await refused(stranger.balance.retrieve());
  assert.ok(closed instanceof Stripe.errors.StripeAuthenticationError, closed.type);

  // It goes on to the bank by itself, and that is the connected account's fact.
  const toBank = () => stripe.payouts.list({}, { stripeAccount: destination });
  assert.equal((await toBank()).data.length, 0);
  await control("/_control/clock", { advance_ms: 4 * 86_400_000 });
  const [payout] = (await toBank()).data;
  assert.deepEqual([payout.amount, payout.status], [5_000, "paid"]);
  const { payments } = await stripe.balanceSettings.retrieve();
  assert.equal(payments.payouts.schedule.interval, "manual");
  const daily = await stripe.balanceSettings.update({ payments: { payouts: { schedule: { interval: "daily" } } } });
  assert.equal(daily.payments.payouts.schedule.interval, "daily");
  await stripe.balanceSettings.update({ payments: { payouts: { schedule: { interval: "manual" } } } });

  const reversal = await stripe.transfers.createReversal(first.id, { amount: 1_000 });
  assert.equal(reversal.transfer, first.id);
  const refund = await stripe.refunds.create({ charge, amount: 2_000 });
  assert.equal(refund.status, "succeeded");
}

async function dispute() {
  for (const is_won of [true, false]) {
    const { charge, session } = await deposit();
    const before = (await stripe.balance.retrieve()).available[0].amount;
    const { id } = await control(`/_control/checkout/${session}/dispute`, { amount: 25_000 });
    const open = await stripe.disputes.retrieve(id);
    assert.equal(open.status, "needs_response");
    assert.equal(open.charge, charge);
    const [withdrawal] = open.balance_transactions;
    assert.deepEqual([withdrawal.amount, withdrawal.fee, withdrawal.net], [-25_000, 1_500, -26_500]);
    assert.equal((await stripe.balance.retrieve()).available[0].amount, before - 26_500);
    assert.equal((await stripe.charges.retrieve(charge)).disputed, true);
    await control(`/_control/disputes/${id}/close`, { is_won });
    const { data } = await stripe.disputes.list({ charge });
    assert.equal(data.length, 1);
    assert.equal(data[0].status, is_won ? "won" : "lost");
    const kept = data[0].balance_transactions.reduce((sum, one) => sum + one.amount, 0);
    assert.equal(kept, is_won ? 0 : -25_000);
  }
}

function webhooks(got, secret) {
  assert.ok(got.length > 0);
  const types = new Set();
  for (const { raw, signature } of got) {
    const event = stripe.webhooks.constructEvent(raw, signature, secret);
    types.add(event.type);
    assert.throws(() => stripe.webhooks.constructEvent(raw, signature, "whsec_other"));
    const changed = Buffer.concat([raw, Buffer.from(" ")]);
    assert.throws(() => stripe.webhooks.constructEvent(changed, signature, secret));
  }
  const wanted = [
    "checkout.session.completed",
    "charge.updated",
    "transfer.created",
    "transfer.reversed",
    "refund.created",
    "charge.dispute.created",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.funds_reinstated",
    "charge.dispute.closed",
  ];
  for (const type of wanted) {
    assert.ok(types.has(type), type);
  }
}

async function tokens() {
  const jwks = await (await fetch(new URL("/.well-known/jwks.json", base))).json();
  const wanted = { user: "ada", role: "brand", azp: "http://127.0.0.1:8080" };
  const { token, user_id } = await control("/_control/clerk/token", wanted);
  const { createPublicKey } = await import("node:crypto");
  const key = createPublicKey({ key: jwks.keys[0], format: "jwk" });
  const options = {
    jwtKey: key.export({ type: "spki", format: "pem" }),
    authorizedParties: [wanted.azp],
  };
  const claims = await verifyToken(token, options);
  assert.equal(claims.sub, user_id);
  assert.equal(claims.iss, base.origin);
  assert.equal(claims.metadata.role, "brand");
  assert.equal(claims.v, 2);
  const elsewhere = { ...options, authorizedParties: ["http://elsewhere"] };
  await refused(verifyToken(token, elsewhere));
  const old = await control("/_control/clerk/token", { ...wanted, ttl_s: -30 });
  await refused(verifyToken(old.token, options));
  const [head, body, signature] = token.split(".");
  const flipped = (signature[0] === "A" ? "B" : "A") + signature.slice(1);
  await refused(verifyToken(`${head}.${body}.${flipped}`, options));
}

// Before this sandbox's clock is moved: tokens are of its time.
await tokens();
const { got, server, url } = await listen();
const { secret } = await control("/_control/webhook_endpoints", { url });
const { charge } = await deposit();
const account = await onboard();
await transfer(charge, account);
await dispute();
const report = await control("/_control/deliveries?wait_ms=20000");
assert.equal(report.is_quiet, true);
server.close();
webhooks(got, secret);
console.log(`judged: ${got.length} webhooks`);
