"""Verifies webhooks as the public library does: python hooks.py, with one {secret, headers, body} as JSON
on each line of the standard input. Prints `good` or the library's objection for each."""

import json
import sys

from standardwebhooks import Webhook, WebhookVerificationError

for line in sys.stdin:
    one = json.loads(line)
    try:
        message = Webhook(one["secret"]).verify(one["body"], one["headers"])
        print("good" if isinstance(message["type"], str) else "no type")
    except WebhookVerificationError as error:
        print(error)
