#!/usr/bin/env python3
"""What a replay of past orders must come to, from the file alone. Usage: replay.py ORDERS.csv"""

import csv
import json
import sys
from datetime import date, timedelta

CREATORS, REVERSE_EVERY, DAYS_TO_REVERSAL = 12, 20, 7
RATE, FEE, BUDGET_SHARE = 1_000, 500, 60  # basis points, basis points, percent
orders = sorted(csv.DictReader(open(sys.argv[1])), key=lambda row: row["order_id"])
for rank, row in enumerate(orders, 1):
    row["amount"] = int(row["amount_minor"])
    row["creator"] = int(row["customer_id"].split("_")[-1]) % CREATORS
    row["commission"] = row["amount"] * RATE // 10_000
    row["fee"] = row["commission"] * FEE // 10_000
    row["reversed"] = rank % REVERSE_EVERY == 0
    row["day"] = date.fromisoformat(row["ordered_on"])
    row["funded"] = 0
budget = sum(row["commission"] + row["fee"] for row in orders) * BUDGET_SHARE // 100

# What happens, in order: a day's reversals first, then its orders.
happens = [(row["day"], 1, row) for row in orders]
happens += [(row["day"] + timedelta(DAYS_TO_REVERSAL), 0, row) for row in orders if row["reversed"]]
happens.sort(key=lambda event: (event[0], event[1], event[2]["day"], event[2]["order_id"]))

free, waiting, first = budget, [], 0
for _, is_order, row in happens:
    if is_order:
        waiting.append(row)
    else:
        free += row["funded"]
        row["commission"] = row["fee"] = row["funded"] = 0
    # The oldest demand is met first; what is left over waits.
    while first < len(waiting):
        want = waiting[first]["commission"] + waiting[first]["fee"] - waiting[first]["funded"]
        part = min(want, free)
        waiting[first]["funded"] += part
        free -= part
        if part < want:
            break
        first += 1

commission, fees, unmet = [0] * CREATORS, 0, 0
for row in orders:
    whole = row["commission"] + row["fee"]
    # Of what is funded so far the creator has their share, rounded down, and the fee the rest.
    creator = row["funded"] * row["commission"] // whole if whole else 0
    commission[row["creator"]] += creator
    fees += row["funded"] - creator
    unmet += whole - row["funded"]

deposit = budget + -(-budget * 4 // 100) + 100  # and 4 % and 1.00 for the provider's fee
provider_fee = (deposit * 29 + 500) // 1_000 + 30  # of which it keeps 2.9 % and 0.30
print(json.dumps({
    "orders": len(orders), "reversed": sum(row["reversed"] for row in orders),
    "amount_minor": sum(row["amount"] for row in orders), "budget_minor": budget,
    "commission_minor": commission, "fees_minor": fees, "unmet_minor": unmet,
    "deposited_minor": deposit, "provider_fees_minor": provider_fee,
    "refunded_minor": deposit - provider_fee - sum(commission) - fees,
}, indent=2))
