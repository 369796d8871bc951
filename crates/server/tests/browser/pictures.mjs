// Pictures of the pages, for the documents: in both themes, on a desk and on a phone.
import { mkdirSync, rmSync } from "node:fs";
import puppeteer from "puppeteer-core";

const [base, executablePath, folder] = process.argv.slice(2);
const sizes = { desk: [1280, 900], phone: [390, 844] };

// Pages by who opens them: a name, and how to get there from the pages that were seen before.
const people = [
  [null, { landing: "/", honest: "/how-it-works", "sign-in": "/sign-in" }],
  ["Fjord Coffee", {
    brand: "/brand",
    "new-campaign": "/brand/new?ends_on=2027-01-31&hosts=shop.example&rate=12.5&budget=5000&base=50",
    "what-if": "/brand/what-if?sample=1&budget=3000&reverse_every=20",
    campaign: /^\/brand\/campaigns\/[^/]+$/,
    "money-map": /^\/brand\/campaigns\/[^/]+\/money$/,
    "doubts-and-waits": /^\/brand\/campaigns\/[^/]+\/holds$/,
    conversions: /^\/brand\/campaigns\/[^/]+\/conversions$/,
    ledger: /^\/brand\/campaigns\/[^/]+\/ledger$/,
    shop: "/brand/shop",
    "proof-of-funds": /^\/c\/[^/]+$/,
  }],
  ["ada", {
    creator: "/creator",
    "find-campaigns": "/creator/campaigns",
    part: /^\/creator\/campaigns\/[^/]+$/,
    payout: /^\/creator\/campaigns\/[^/]+\/payouts\/\d+$/,
    statement: /^\/creator\/campaigns\/[^/]+\/statement$/,
  }],
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

async function signIn(page, who) {
  await page.goto(`${base}/sign-in`);
  const press = page.evaluate((who) => {
    const names = [...document.querySelectorAll(".people strong")];
    names.find((name) => name.textContent === who).closest("button").click();
  }, who);
  await Promise.all([page.waitForNavigation(), press]);
}

async function take(page, path, name) {
  for (const theme of ["light", "dark"]) {
    for (const [size, [width, height]] of Object.entries(sizes)) {
      await page.setViewport({ width, height });
      await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: theme }]);
      const answer = await page.goto(base + path, { waitUntil: "load" });
      if (answer.status() !== 200) throw new Error(`${path}: status ${answer.status()}`);
      const options = { path: `${folder}/${name}-${size}-${theme}.webp`, type: "webp", quality: 80 };
      await page.screenshot(options);
    }
  }
}

rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
const browser = await puppeteer.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
try {
  for (const [who, pages] of people) {
    const context = await browser.createBrowserContext();
    const page = await context.newPage();
    if (who) await signIn(page, who);
    const seen = new Set();
    for (const [name, wanted] of Object.entries(pages)) {
      const path = typeof wanted === "string" ? wanted : [...seen].find((path) => wanted.test(path));
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
