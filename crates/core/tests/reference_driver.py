"""Runs histories, given as lines on standard input, through the reference model of the money rules.

    python3 reference_driver.py MODEL_DIR < histories

A history begins with `history` and its terms, then one command per line, then `end`. For each command
one line `.` (accepted) or `!` (refused) is printed, then the entries it appended; at the end the balances.
Where the product decides otherwise than the model, the subclass below says so; the reasons are in
docs/adr/0007-where-the-product-differs-from-the-model.md.
"""
import sys

sys.path.insert(0, sys.argv[1])
from money_model import Campaign, DAY, DEBIT, Refused, need  # noqa: E402

T = 20_000 * DAY


class Product(Campaign):
    planning = None

    def capacity(self, d):
        whole = super().capacity(d)
        if self.planning and (*self.planning, d["id"]) in self.planned_on:
            self.tomorrow += whole
            return 0
        return whole

    def append(self, kind, body, at=None, enr=None):
        entry = super().append(kind, body, at, enr)
        if kind == "payout.planned":
            self.planned_on.add((enr, self.now // DAY, body["deposit"]))
        return entry

    def _plan(self, enr, source, total, ripe, at):
        self.planning, self.tomorrow = (enr, max(at, self.now) // DAY), 0
        try:
            left = super()._plan(enr, source, total, ripe, at)
        finally:
            self.planning = None
        return max(0, left - self.tomorrow)

    def _deposit_reversed(self, p, b, seq, enr):
        d = self.deposits[b["id"]]
        beyond = max(0, d["fee_left"] - b["amount"])
        d["fee_left"] -= beyond
        super()._deposit_reversed(p, b, seq, enr)
        d["fee_left"] += beyond

    def _hold_upheld(self, p, b, seq, enr):
        super()._hold_upheld(p, b, seq, enr)
        left = self.units[b["ref"]].unplanned
        self.debit(p, f"held:{enr}", left)
        self.credit(p, f"payable:{enr}", left)

    def _move(self, u, p, **changes):
        funded, taken = u.funded, p["campaign_funds"]
        super()._move(u, p, **changes)
        excess = p["campaign_funds"] - taken - max(0, u.funded - funded)
        excess = min(max(0, excess), u.fee)
        if u.kind == "conversion" and excess:
            u.fee, u.funded = u.fee - excess, u.funded - excess
            self.debit(p, f"held:{u.enr}" if u.held else "platform_fees", excess)
            self.credit(p, "campaign_funds", excess)
            if p is self.run.get(u.enr):
                self.f_funds += excess
                self.f_used -= excess
        return p

    def deposit_confirm(self, id, at):
        d = self.deposits.get(id)
        if d:
            d["failed"] = False
        super().deposit_confirm(id, at)

    def fund_if_covered(self, at):
        if self.state == "draft" and not self.frozen and self.confirmed_budget() >= self.terms["budget"]:
            self.go("funded", at)

    def dispute_lost(self, id, case, at):
        super().dispute_lost(id, case, at)
        self.fund_if_covered(at)

    def deposit_reverse(self, *args):
        super().deposit_reverse(*args)
        self.fund_if_covered(args[-1])

    def pay_unclaimed(self, enr, at):
        need(enr in self.enrollments and self.enrollments[enr]["onboarded"], "onboarded")
        need(self.state in ("completed", "paid_out", "cancelled"), "over")
        need(self.unclaimed_pool[enr] > 0, "something unclaimed")
        self.catch_up(at)
        return self._plan(enr, "unclaimed", self.unclaimed_pool[enr], [], at)

    def cancel(self, at):
        need(self.state in ("draft", "funded"), "before live")
        self.catch_up(at)
        self.go("cancelled", at)
        for e in self.enrollments.values():
            if e["base_left"] and self.unlocked(e, at):
                self.append("base.earned", {}, at, e["id"])
                self.append("payout.unclaimed", {}, at, e["id"])
            elif e["base_left"]:
                self.append("base.released", {}, at, e["id"])

    def over(self):
        return self.state in ("cancelled", "paid_out")

    def judge(self, id, accept, at):
        need(not self.over(), "running")
        super().judge(id, accept, at)

    def tick_bases(self, at):
        if not self.over():
            super().tick_bases(at)

    def closing(self, at):
        return self.state == "completed" and at > self.closes_at

    def place_hold(self, ref, deadline, at):
        need(not self.closing(at) and deadline <= at + 7 * DAY, "before the close")
        super().place_hold(ref, deadline, at)

    def claim(self, id, enr, opened, at):
        need(not (opened and self.closing(at)), "before the close")
        super().claim(id, enr, opened, at)


def number(text):
    return None if text == "-" else int(text)


class Runner:
    def __init__(self, words):
        names = "budget fee_bps netting_bps minimum clearing_days attribution_days replay_days".split()
        terms = dict(zip(names, map(int, words)), on_exhausted="record")
        Product.planned_on, self.c = set(), None
        self.c = Product(terms, T)
        self.deposits, self.conversions, self.claims, self.enrolled = 0, 0, 0, 0
        self.made_claims = []

    def enr(self, text):
        return f"e{int(text):04}"

    def conv(self, text):
        return f"c{text}"

    def run(self, line):
        at, what, *w = line.split()
        at, c = int(at), self.c
        at = max(at, c.now)
        getattr(self, what)(at, c, w)

    def expect(self, at, c, w):
        c.deposit_expect(f"d{self.deposits}", int(w[0]), int(w[1]), at)
        self.deposits += 1

    def confirm(self, at, c, w):
        c.deposit_confirm("d" + w[0], at)

    def fail(self, at, c, w):
        c.deposit_fail("d" + w[0], at)

    def settle(self, at, c, w):
        c.deposit_settle("d" + w[0], int(w[1]), at)

    def reverse(self, at, c, w):
        c.deposit_reverse("d" + w[0], "k" + w[1], int(w[2]), w[3], int(w[4]), at)

    def won(self, at, c, w):
        c.dispute_won("d" + w[0], "k" + w[1], at)

    def lost(self, at, c, w):
        c.dispute_lost("d" + w[0], "k" + w[1], at)

    def advance(self, at, c, w):
        c.platform_advance(f"d{self.deposits}", int(w[0]), at)
        self.deposits += 1

    def enroll(self, at, c, w):
        tiers = [tuple(map(int, t.split(":"))) for t in w[1].split(",")]
        c.enroll(self.enr(self.enrolled), (w[0], tiers), number(w[2]), int(w[3]), (w[4], int(w[5])), at)
        self.enrolled += 1

    def end(self, at, c, w):
        c.end_enrollment(self.enr(w[0]), at)

    def onboard(self, at, c, w):
        c.onboard(self.enr(w[0]), at)

    def deliver(self, at, c, w):
        c.deliver(self.enr(w[0]), at)

    def judge(self, at, c, w):
        c.judge(self.enr(w[0]), w[1] == "1", at)

    def bases(self, at, c, w):
        c.tick_bases(at)

    def convert(self, at, c, w):
        name = f"c{self.conversions}"
        self.conversions += 1
        c.convert(name, self.enr(w[0]), int(w[1]), int(w[2]), at, number(w[3]))

    def refunded(self, at, c, w):
        c.reverse(self.conv(w[0]), int(w[1]), at)

    def hold(self, at, c, w):
        c.place_hold(self.conv(w[0]), int(w[1]), at)

    def end_hold(self, at, c, w):
        c.end_hold(self.conv(w[0]), w[1] == "1", at)

    def expire_holds(self, at, c, w):
        c.expire_holds(at)

    def rollup(self, at, c, w):
        c.rollup(at, number(w[0]))

    def plan(self, at, c, w):
        c.plan_payouts(at)

    def pay(self, text):
        return f"pay{int(text) + 1}"

    def plan_unclaimed(self, at, c, w):
        c.pay_unclaimed(self.enr(w[0]), at)

    def cancel_payout(self, at, c, w):
        c.cancel_payout(self.pay(w[0]), at)

    def attempt(self, at, c, w):
        c.attempt(self.pay(w[0]), at)

    def outcome(self, at, c, w):
        c.outcome(self.pay(w[0]), w[1], at)

    def transfer_reversed(self, at, c, w):
        c.transfer_reversed(self.pay(w[0]), at)

    def adjust(self, at, c, w):
        c.adjust(f"a{len(c.entries)}", self.enr(w[0]), int(w[1]), at)

    def open_claim(self, at, c, w):
        name = f"q{len(self.made_claims)}"
        c.claim(name, self.enr(w[0]), True, at)
        self.made_claims.append((name, self.enr(w[0])))

    def end_claim(self, at, c, w):
        need(int(w[0]) < len(self.made_claims), "a claim")
        name, enr = self.made_claims[int(w[0])]
        c.claim(name, enr, False, at)

    def launch(self, at, c, w):
        c.launch(at)

    def pause(self, at, c, w):
        c.pause(at)

    def resume(self, at, c, w):
        c.resume(at)

    def complete(self, at, c, w):
        c.complete(at)

    def cancel(self, at, c, w):
        c.cancel(at)

    def budget(self, at, c, w):
        c.raise_budget(int(w[0]), at)

    def refunds(self, at, c, w):
        c.plan_refunds(at)

    def refund_outcome(self, at, c, w):
        c.refund_outcome(f"ref{int(w[0]) + 1}", w[1], at)

    def close(self, at, c, w):
        c.close_step(at)


def account(name):
    base, _, enr = name.partition(":")
    return f"{base}:{int(enr[1:])}" if enr else base


def show(entry):
    kind = {"dispute.closed": "deposit.dispute_closed"}.get(entry["kind"], entry["kind"])
    who = f" {int(entry['enrollment'][1:])} #{entry['n']}" if entry["enrollment"] else ""
    moves = "".join(sorted(f" {account(a)}={d}" for a, d in entry["postings"]))
    return kind + who + moves


def balances(c):
    out = {account(a): (v if a.split(":")[0] in DEBIT else -v) for a, v in c.bal.items() if v}
    return " ".join(sorted(f"{a}={v}" for a, v in out.items()))


def main():
    runner, seen = None, 0
    for line in sys.stdin:
        line = line.rstrip("\n")
        if line.startswith("history "):
            runner, seen = Runner(line.split()[1:]), 1
        elif line == "end":
            print("=", balances(runner.c), runner.c.state)
        else:
            try:
                runner.run(line)
                print(".")
            except Refused:
                print("!")
            runner.c.check()
            for entry in runner.c.entries[seen:]:
                print(show(entry))
            seen = len(runner.c.entries)


main()
