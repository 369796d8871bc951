// Says of each session token whether the official client takes it. Given on standard input:
// { tokens, now, party, keys }; said on standard output: a list of true and false.

import { verifyToken } from "@clerk/backend";

const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const { tokens, now, party, keys } = JSON.parse(Buffer.concat(chunks).toString());

Date.now = () => now;
const options = {
  secretKey: "sk_test_judge",
  apiUrl: keys,
  authorizedParties: [party],
  clockSkewInMs: 5_000,
};

const said = [];
for (const token of tokens) {
  try {
    const claims = await verifyToken(token, options);
    said.push(claims !== undefined);
  } catch {
    said.push(false);
  }
}
process.stdout.write(JSON.stringify(said));
