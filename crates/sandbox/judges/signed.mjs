// Hands events to the product as the official client signs them: node signed.mjs <address> <secret>,
// with one event as JSON on each line of the standard input. Prints the status of each answer.

import readline from "node:readline";
import Stripe from "stripe";

const [address, secret] = process.argv.slice(2);
const stripe = new Stripe("sk_test_judge");

for await (const payload of readline.createInterface({ input: process.stdin })) {
  const signature = stripe.webhooks.generateTestHeaderString({ payload, secret });
  const headers = { "content-type": "application/json", "stripe-signature": signature };
  const answer = await fetch(address, { method: "POST", headers, body: payload });
  await answer.arrayBuffer();
  console.log(answer.status);
}
