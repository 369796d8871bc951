"""The official Python client judges a running sandbox: judge.py <base url>.

The clock of that sandbox must be real, since the client compares with its own.
"""

import json
import sys
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import stripe

BASE = sys.argv[1]


def control(path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(BASE + path, data, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def client(key="sk_test_judge"):
    return stripe.StripeClient(key, base_addresses={"api": BASE}, max_network_retries=0).v1


def refused(kind, act):
    try:
        act()
    except kind as error:
        return error
    raise AssertionError(f"this had to be refused as {kind.__name__}")


class Listener(BaseHTTPRequestHandler):
    got = []

    def do_POST(self):
        raw = self.rfile.read(int(self.headers["content-length"]))
        self.got.append((raw, self.headers["stripe-signature"]))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def deposit(api):
    price = {"currency": "usd", "unit_amount": 50_000, "product_data": {"name": "Deposit"}}
    session = api.checkout.sessions.create({
        "mode": "payment",
        "line_items": [{"quantity": 1, "price_data": price}],
        "success_url": "http://127.0.0.1/done",
        "payment_intent_data": {"transfer_group": "cmp_py"},
    })
    assert session.status == "open"
    control(f"/_control/checkout/{session.id}/pay", {"method": "card", "outcome": "succeed"})
    control("/_control/clock", {"advance_ms": 1_000})
    expand = ["payment_intent.latest_charge.balance_transaction"]
    paid = api.checkout.sessions.retrieve(session.id, {"expand": expand})
    charge = paid.payment_intent.latest_charge
    assert (paid.payment_status, charge.balance_transaction.fee) == ("paid", 1_480)
    return session.id, charge.id


def transfers(api, charge):
    account = api.accounts.create({
        "type": "express", "country": "US", "capabilities": {"transfers": {"requested": True}},
    })
    assert account.capabilities.transfers == "inactive"
    control(f"/_control/accounts/{account.id}/onboard", {})
    asked = {
        "amount": 5_000, "currency": "usd", "destination": account.id,
        "source_transaction": charge, "metadata": {"payout_id": "pay_py"},
    }
    key = {"idempotency_key": "pay_py:1"}
    first = api.transfers.create(asked, key)
    again = api.transfers.create(asked, key)
    assert again.id == first.id
    assert again.last_response.headers["idempotent-replayed"] == "true"
    refused(stripe.IdempotencyError, lambda: api.transfers.create({**asked, "amount": 1}, key))
    broke = {"amount": 9_999_999, "currency": "usd", "destination": account.id}
    error = refused(stripe.InvalidRequestError, lambda: api.transfers.create(broke))
    assert error.code == "balance_insufficient", error
    strange = {**asked, "surprise": "x"}
    error = refused(stripe.InvalidRequestError, lambda: api.transfers.create(strange))
    assert error.code == "parameter_unknown", error
    assert control("/_control/ledger")["payouts"]["pay_py"]["transfers"] == 1
    refused(stripe.AuthenticationError, lambda: client("sk_live_x").balance.retrieve())


def taken_back(api, session, charge):
    refund = api.refunds.create({"charge": charge, "amount": 2_000})
    assert refund.status == "succeeded"
    dispute = control(f"/_control/checkout/{session}/dispute", {"amount": 7_000})["id"]
    withdrawal = api.disputes.retrieve(dispute).balance_transactions[0]
    assert (withdrawal.amount, withdrawal.fee, withdrawal.net) == (-7_000, 1_500, -8_500)
    control(f"/_control/disputes/{dispute}/close", {"is_won": False})
    seen = api.disputes.list({"charge": charge}).data
    assert [(one.id, one.status) for one in seen] == [(dispute, "lost")]


def webhooks(secret):
    assert Listener.got
    types = set()
    for raw, signature in Listener.got:
        types.add(stripe.Webhook.construct_event(raw, signature, secret).type)
        for wrong in [(raw, signature, "whsec_other"), (raw + b" ", signature, secret)]:
            refused(stripe.SignatureVerificationError, lambda: stripe.Webhook.construct_event(*wrong))
    wanted = {"checkout.session.completed", "transfer.created", "refund.created",
              "charge.dispute.created", "charge.dispute.closed"}
    assert wanted <= types, wanted - types


def main():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Listener)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/hook"
    secret = control("/_control/webhook_endpoints", {"url": url})["secret"]
    api = client()
    session, charge = deposit(api)
    transfers(api, charge)
    taken_back(api, session, charge)
    assert control("/_control/deliveries?wait_ms=20000")["is_quiet"]
    webhooks(secret)
    print(f"judged: {len(Listener.got)} webhooks")


main()
