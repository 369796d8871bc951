// Three people and a shopper: a brand pays for a campaign, a creator shares a link, somebody buys, an operator
// decides, and the money arrives. Everything is pressed and written in the browser; only time is moved from outside.
import { Clock, Person, leave, makesLink, open, opensCampaign, until } from "./people.mjs";

const [base, executablePath, sandbox] = process.argv.slice(2);
const world = { base, sandbox };
const clock = new Clock(sandbox);
const told = (text) => console.log(`STEP ${text}`);

// A shopper comes by the link and buys for so many cents; `before` is between the click and the order.
async function buys(shopper, link, cents, before) {
  await shopper.goes(link);
  if (!shopper.page.url().startsWith(`${sandbox}/shop/?sh_click=`)) throw new Error(`came to ${shopper.page.url()}`);
  await shopper.sees("You came through a creator's link.");
  await before?.();
  await shopper.writes("Amount in cents", String(cents));
  const pressed = Date.now();
  await shopper.takes("Buy");
  const status = await shopper.page.$eval("#status", (one) => one.textContent);
  if (!["200", "201"].includes(status)) throw new Error(`the shop was answered ${await shopper.text()}`);
  return pressed;
}

async function play(browser) {
  const brand = await Person.comes(browser, world);
  const campaign = await opensCampaign(brand, clock);
  told("the brand opens a campaign, funds it at the checkout and launches it");

  const creator = await Person.comes(browser, world);
  const link = await makesLink(creator, "nils", campaign);
  const own = new URL(creator.page.url()).pathname;
  await creator.goes("/creator");
  await creator.takes("Set up payouts");
  await creator.sees("Introduce yourself");
  await creator.takes("Finish");
  await creator.finds("Payouts go to your account and on to your bank.");
  await creator.goes(own);
  told("a creator joins, makes a link, and can be paid");

  await brand.goes(campaign);
  await brand.reads("Orders", "0");
  const phone = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Mobile Safari/537.36";
  const shopper = await Person.comes(browser, world, phone);
  await brand.page.evaluate(() => { document.body.dataset.stays = "here"; });
  const pressed = await buys(shopper, link, 20_000, () => clock.move({ advance_ms: 240_000 }));
  const left = () => Math.max(1, 2_000 - (Date.now() - pressed));
  await brand.reads("Orders", "1", left());
  told(`a shopper buys, and the brand sees it within two seconds`);
  await brand.reads("Credited clicks", "1");
  await brand.reads("Earned by creators", "20.00 USD");
  const stays = await brand.page.evaluate(() => document.body.dataset.stays);
  if (stays !== "here") throw new Error("the brand's page was loaded again");
  await creator.reads("Pending", "20.00 USD");
  await creator.page.click(".qr summary");
  await until("the link is shown as a picture", () => creator.page.$eval(".qr img", (one) => one.naturalWidth > 0));
  told("the creator sees what it earns, without another visit either");

  await clock.move({ mode: "stepped" });
  await buys(shopper, link, 30_000);
  await clock.move({ mode: "running" });
  await creator.reads("Held", "30.00 USD");
  await creator.sees("ordered within 2 seconds of the click");
  const admin = await Person.comes(browser, world);
  await admin.signsInAs("The operator");
  await admin.sees("1 wait for a decision.");
  await admin.follows("Review them");
  await admin.sees("Order of 300.00 USD, earns 30.00 USD");
  await admin.sees("ordered within 2 seconds of the click");
  await admin.takes("Release: it counts");
  await admin.sees("Released: the order counts.");
  await admin.sees("Nothing to review");
  await creator.reads("Held", "0.00 USD");
  await creator.reads("Pending", "50.00 USD");
  told("an order in the second of its click is held, and an operator releases it");

  // Sessions end meanwhile, and are renewed by the next visit.
  for (const one of [brand, creator, admin]) await one.page.goto("about:blank");
  await clock.move({ advance_ms: 32 * 86_400_000 });
  await creator.goes(own);
  await creator.finds("Why was I paid this?", 60_000);
  await creator.reads("Paid", "50.00 USD", 60_000);
  await creator.follows("Why was I paid this? Payout " + await payout(creator));
  await creator.sees("Why was I paid 50.00 USD?");
  await creator.sees("Together 50.00 USD");
  await creator.goes(own);
  await creator.follows("Statement to print or to keep as a file");
  await creator.sees("Statement for nils");
  await creator.sees("Together 50.00 USD");
  await creator.sees("Arrived 50.00 USD");
  await brand.goes(campaign);
  await brand.reads("Paid", "50.00 USD");
  await brand.follows("Conversions");
  await brand.sees("300.00 USD");
  await admin.goes("/admin");
  await admin.sees("None. Every payout that was planned has arrived.");
  told("the clearing days pass, and the payout arrives");
  for (const one of [brand, creator, shopper, admin]) await one.close();
}

// The number of the payout, as only a screen reader says it.
function payout(creator) {
  return creator.page.evaluate(() => {
    const said = [...document.querySelectorAll(".hidden")].map((one) => one.textContent.trim());
    return said.find((text) => text.startsWith("Payout ")).slice("Payout ".length);
  });
}

const browser = await open(executablePath);
try {
  await play(browser);
} finally {
  await browser.close();
}
leave();
