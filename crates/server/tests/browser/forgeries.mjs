// People who have signed in come to a page of somebody else, which sends forms to our pages in their name: to each
// page that takes one. None is let through, and nothing has changed afterwards.
import { Clock, Person, complain, elsewhere, leave, makesLink, open, opensCampaign } from "./people.mjs";

const [base, executablePath, sandbox, ...paths] = process.argv.slice(2);
const world = { base, sandbox };

// What our own forms send, and more.
const fields = {
  name: "Eve", amount: "1500.00", reason: "looked at it", readable: "EVE", theme: "dark", to: "/",
  destination: `${sandbox}/shop/`, event: "sale", pays: "share", rate: "10", currency: "USD", budget: "1000",
  ends_on: "2026-11-30", hosts: "shop.example", clearing_days: "30", attribution_window_days: "30",
  payout_minimum: "10", on_exhausted: "pause",
};

const page = (action) => {
  const inputs = Object.entries(fields).map(([name, value]) => `<input name="${name}" value="${value}">`);
  return `<!doctype html><title>A page</title><form id="trap" method="post" action="${action}">${inputs.join("")}`
    + "</form><script>document.getElementById('trap').submit();</script>";
};

// What could be changed, as those see it who may.
async function standing({ brand, creator, admin, campaign }) {
  const seen = [];
  for (const [who, path] of [
    [brand, "/brand"], [brand, campaign], [brand, `${campaign}/ledger`], [creator, "/creator"],
    [creator, campaign.replace("/brand/", "/creator/")], [creator, "/creator/campaigns"], [admin, "/admin/holds"],
    [admin, "/admin/people"], [admin, "/admin/people/brands"], [admin, "/admin/people/creators"],
  ]) {
    await who.goes(path);
    seen.push(`${path}\n${await who.text()}`);
  }
  return seen;
}

// A form of that site in somebody's name; whether their session came along, and what was answered.
async function forged(who, site, path) {
  const tab = await who.page.browserContext().newPage();
  let cookie = null;
  const client = await tab.createCDPSession();
  await client.send("Network.enable");
  client.on("Network.requestWillBeSentExtraInfo", ({ headers }) => {
    if (headers[":path"] === path || headers.Host === new URL(base).host) cookie = headers.Cookie ?? headers.cookie ?? "";
  });
  const answered = tab.waitForResponse((answer) => answer.request().method() === "POST"
    && answer.url() === base + path);
  await tab.goto(`${site}/?to=${encodeURIComponent(base + path)}`, { waitUntil: "domcontentloaded" });
  const answer = await answered;
  const status = answer.status();
  const sets = answer.headers()["set-cookie"];
  await tab.close();
  if (status !== 403) complain(`${path} from ${site}: ${status}`);
  if (sets) complain(`${path} from ${site} sets ${sets}`);
  return (cookie ?? "").includes("__session=");
}

// A script of that site asks the API in the brand's name.
async function asked(brand, site, campaign) {
  const tab = await brand.page.browserContext().newPage();
  await tab.goto(`${site}/?nothing`);
  for (const rest of ["pause", "complete", "deposits"]) {
    const url = `${base}/api/v1/campaigns/${campaign.split("/").pop()}/${rest}`;
    await tab.evaluate((url) => {
      const body = JSON.stringify({ amount: { amount: 1000, currency: "USD" } });
      return fetch(url, { method: "POST", mode: "no-cors", credentials: "include", body });
    }, url);
  }
  await tab.close();
}

async function play(browser) {
  const [brand, creator, admin] = [
    await Person.comes(browser, world), await Person.comes(browser, world), await Person.comes(browser, world),
  ];
  const clock = new Clock(sandbox);
  const campaign = await opensCampaign(brand, clock);
  const link = await makesLink(creator, "nils", campaign);
  await admin.signsInAs("The operator");
  // An order that is held, for there to be a hold to decide. Time stands still from here on.
  await clock.move({ mode: "stepped" });
  const shopper = await Person.comes(browser, world);
  await shopper.goes(link);
  await shopper.takes("Buy");
  await clock.move({ advance_ms: 5_000 });
  await admin.goes("/admin/holds");
  await admin.finds("Order of 50.00 USD");
  const decides = await admin.page.$eval("form[action$='/release']", (form) => form.getAttribute("action"));
  const conversion = decides.split("/").at(-2);
  const fill = (path) => path.replace("{campaign}", campaign.split("/").pop())
    .replace("{conversion}", conversion).replace("{payout}", conversion)
    .replace("{key}", "key_00000000000000000000000000").replace("{webhook}", "whk_00000000000000000000000000")
    .replace("{delivery}", "1").replace("{job}", "disburse").replace("{event}", "evt_nothing")
    .replace("{user}", "user_nils").replace("{creator}", "crt_00000000000000000000000000")
    .replace("{brand}", "brd_00000000000000000000000000");
  const people = { brand, creator, admin, campaign };
  await new Promise((done) => setTimeout(done, 1_000));
  const before = await standing(people);
  const site = await elsewhere((url) => (url.searchParams.has("to") ? page(url.searchParams.get("to")) : ""));
  try {
    // Signed out, nobody has anything to lose: that one comes last.
    for (const path of paths.toSorted((a, b) => (a === "/sign-out") - (b === "/sign-out"))) {
      const who = path.startsWith("/creator") ? creator : path.startsWith("/admin") ? admin : brand;
      const steps = path.includes("{step}") ? ["pause", "complete"] : [""];
      for (const step of steps) {
        const to = fill(path).replace("{step}", step);
        await forged(who, site.other, to);
        // The same host, so the session comes along: only where the form comes from speaks against it.
        const comesAlong = await forged(who, site.beside, to);
        if (!comesAlong) complain(`${to}: the session did not come along, so this shows nothing`);
      }
      console.log(`REFUSED ${path}`);
    }
    for (const from of [site.other, site.beside]) await asked(brand, from, campaign);
  } finally {
    site.close();
  }
  const after = await standing(people);
  before.forEach((text, at) => {
    if (after[at] !== text) complain(`changed:\n${text}\nis now\n${after[at]}`);
  });
}

const browser = await open(executablePath);
try {
  await play(browser);
} finally {
  await browser.close();
}
leave();
