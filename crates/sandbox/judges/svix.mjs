// Signs webhooks as the identity provider does. Given on standard input: { secret, id, seconds, payloads };
// said on standard output: a list of signatures.

import { Webhook } from "svix";

const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const { secret, id, seconds, payloads } = JSON.parse(Buffer.concat(chunks).toString());
const webhook = new Webhook(secret);
const at = new Date(seconds * 1_000);
process.stdout.write(JSON.stringify(payloads.map((payload) => webhook.sign(id, at, payload))));
