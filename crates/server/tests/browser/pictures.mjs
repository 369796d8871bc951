// Pictures of the pages, for the documents: in both themes, on a desk and on a phone. Besides the story of the demo,
// which is over, there is a campaign that is live, with an order that waits for a decision.
import { mkdirSync, rmSync } from "node:fs";
import { Clock, Person, makesLink, open, opensCampaign } from "./people.mjs";

const [base, executablePath, folder, sandbox] = process.argv.slice(2);
const clock = new Clock(sandbox);
// A page is shown to here; what is longer is cut.
const HEIGHT_MAX = 2600;
const sizes = { desk: [1280, 900], phone: [390, 844] };

// Pages by who opens them: a name, and how to get there from the pages that were seen before.
let [story, live, draft, part] = [];
const people = [
  [null, { landing: "/", honest: "/how-it-works", "sign-in": "/sign-in" }],
  ["Fjord Coffee", {
    brand: "/brand",
    "campaign-draft": () => draft,
    "campaign-live": () => live,
    "doubts-live": () => `${live}/holds`,
    "new-campaign": "/brand/new?ends_on=2027-01-31&hosts=shop.example&rate=12.5&budget=5000&base=50",
    "what-if": "/brand/what-if?sample=1&budget=3000&reverse_every=20",
    campaign: () => story,
    "money-map": () => `${story}/money`,
    "doubts-and-waits": () => `${story}/holds`,
    conversions: () => `${story}/conversions`,
    ledger: () => `${story}/ledger`,
    shop: "/brand/shop",
    "proof-of-funds": () => story.replace("/brand/campaigns/", "/c/"),
    "proof-of-funds-live": () => live.replace("/brand/campaigns/", "/c/"),
  }],
  ["ada", {
    creator: "/creator",
    "find-campaigns": "/creator/campaigns",
    part: /^\/creator\/campaigns\/[^/]+$/,
    payout: /^\/creator\/campaigns\/[^/]+\/payouts\/\d+$/,
    statement: /^\/creator\/campaigns\/[^/]+\/statement$/,
  }],
  ["nils", { "part-live": () => part }],
  ["The operator", {
    admin: "/admin",
    holds: "/admin/holds",
    workers: "/admin/workers",
    "webhooks-in": "/admin/webhooks",
    "webhooks-out": "/admin/webhooks/out",
    users: "/admin/people",
    brands: "/admin/people/brands",
    creators: "/admin/people/creators",
    "access-log": "/admin/access-log",
    keys: "/admin/keys",
  }],
];

// As somebody whom the page offers, or as a creator of that name.
async function signIn(page, who) {
  const person = new Person(page, { base, sandbox });
  await person.goes("/sign-in");
  const [offered] = await page.$$(`xpath/.//button[strong[text()="${who}"]]`);
  if (offered) {
    await Promise.all([page.waitForNavigation({ waitUntil: "load" }), offered.click()]);
  } else {
    await person.writes("Name", who);
    await person.takes("As a creator");
  }
}

// A campaign that is live: three orders, of which one waits for a decision; and one that is not paid for yet.
async function play(browser) {
  const world = { base, sandbox };
  const before = await Person.comes(browser, world);
  await before.signsInAs("Fjord Coffee");
  await before.goes("/brand");
  story = await before.page.evaluate(() => document.querySelector("li.item a").getAttribute("href"));
  const brand = await Person.comes(browser, world);
  live = await opensCampaign(brand, clock);
  const creator = await Person.comes(browser, world);
  const link = await makesLink(creator, "nils", live);
  part = new URL(creator.page.url()).pathname;
  const phone = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Mobile Safari/537.36";
  for (const [cents, wait] of [[8_900, 240_000], [24_000, 400_000], [30_000, 0]]) {
    const shopper = await Person.comes(browser, world, phone);
    if (!wait) await clock.move({ mode: "stepped" });
    await shopper.goes(link);
    if (wait) await clock.move({ advance_ms: wait });
    await shopper.writes("Amount in cents", String(cents));
    await shopper.takes("Buy");
    if (!wait) await clock.move({ mode: "running" });
    await shopper.close();
    if (wait) await clock.move({ advance_ms: 86_400_000 });
  }
  // Days have passed, and with them the sessions.
  const after = await Person.comes(browser, world);
  await after.signsInAs("Fjord Coffee");
  await after.follows("New campaign");
  await after.writes("Budget", "2500");
  await after.writesDate("Last day", await clock.day(90));
  await after.writes("Where links may lead", "shop.example");
  await after.takes("Open the campaign");
  draft = new URL(after.page.url()).pathname;
  for (const one of [before, brand, creator, after]) await one.close();
}

async function take(page, path, name) {
  for (const theme of ["light", "dark"]) {
    for (const [size, [width, height]] of Object.entries(sizes)) {
      await page.setViewport({ width, height });
      await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: theme }]);
      const answer = await page.goto(base + path, { waitUntil: "load" });
      if (answer.status() !== 200) throw new Error(`${path}: status ${answer.status()}`);
      const whole = await page.evaluate(() => document.documentElement.scrollHeight);
      const clip = { x: 0, y: 0, width, height: Math.min(Math.max(whole, height), HEIGHT_MAX) };
      const to = `${folder}/${name}-${size}-${theme}.webp`;
      await page.screenshot({ path: to, type: "webp", quality: 75, clip, captureBeyondViewport: true });
    }
  }
}

rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
const browser = await open(executablePath);
try {
  await play(browser);
  for (const [who, pages] of people) {
    const context = await browser.createBrowserContext();
    const page = await context.newPage();
    if (who) await signIn(page, who);
    const seen = new Set();
    for (const [name, wanted] of Object.entries(pages)) {
      const found = () => [...seen].find((path) => wanted.test(path));
      const path = typeof wanted === "string" ? wanted : wanted instanceof RegExp ? found() : wanted();
      if (!path) throw new Error(`nothing leads to ${name}`);
      await take(page, path, name);
      const links = await page.evaluate(() => [...document.querySelectorAll("a[href]")]
        .map((link) => link.getAttribute("href")));
      for (const link of links) seen.add(link);
    }
    await context.close();
  }
} finally {
  await browser.close();
}
