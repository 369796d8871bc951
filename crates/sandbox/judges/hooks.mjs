// Verifies webhooks as the public library does: node hooks.mjs, with one {secret, headers, body} as JSON
// on each line of the standard input. Prints `good` or the library's objection for each.

import readline from "node:readline";
import { Webhook } from "standardwebhooks";

for await (const line of readline.createInterface({ input: process.stdin })) {
  const { secret, headers, body } = JSON.parse(line);
  try {
    const message = new Webhook(secret).verify(body, headers);
    console.log(typeof message.type === "string" ? "good" : "no type");
  } catch (error) {
    console.log(error.message);
  }
}
