// A page of somebody else loads a creator's link by itself, in each way that a browser knows. No such load earns a
// click, and the shop that it leads to gets nothing to report with; a visit that a person makes earns one.
import { Clock, Person, complain, elsewhere, leave, makesLink, open, opensCampaign, until } from "./people.mjs";

const [base, executablePath, sandbox] = process.argv.slice(2);
const world = { base, sandbox };

const ways = {
  img: (link) => `<img src="${link}" alt="">`,
  iframe: (link) => `<iframe src="${link}"></iframe>`,
  fetch: (link) => `<script>fetch("${link}", { mode: "no-cors", credentials: "include" });</script>`,
  prefetch: (link) => `<link rel="prefetch" href="${link}">`,
  speculation: (link) => {
    const rules = { prefetch: [{ source: "list", urls: [link], eagerness: "immediate" }] };
    return `<script type="speculationrules">${JSON.stringify(rules)}</script>`;
  },
};

// Redirects by verdict, as the server counts them.
async function redirects() {
  const text = await (await fetch(`${base}/metrics`)).text();
  const lines = text.matchAll(/^sponsorhub_redirects_total\{verdict="(\w+)"\} (\d+)/gm);
  return Object.fromEntries([...lines].map(([, verdict, count]) => [verdict, Number(count)]));
}

const sum = (counts) => Object.values(counts).reduce((all, one) => all + one, 0);

// The clicks that the creator's own page tells of the link.
async function clicks(creator) {
  await creator.page.reload({ waitUntil: "load" });
  const said = await creator.text();
  return Number(/(\d+) clicks?/.exec(said)[1]);
}

async function loads(browser, site, way, link) {
  const before = await redirects();
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  await page.goto(`${site}/?by=${way}&link=${encodeURIComponent(link)}`);
  await until(`${way} asks for the link`, async () => sum(await redirects()) > sum(before));
  // Whatever else this load brings comes now.
  await page.evaluate(() => new Promise((done) => setTimeout(done, 300)));
  const after = await redirects();
  const judged = Object.keys(after).filter((verdict) => after[verdict] > (before[verdict] ?? 0));
  if (after.credited !== before.credited) complain(`${way}: a click was credited`);
  // What the shop has got of it leads to no conversion.
  await page.goto(`${sandbox}/shop/`);
  const says = await page.$eval("#click", (one) => one.textContent);
  if (says !== "Nobody sent you.") complain(`${way}: the shop says ${says}`);
  await Promise.all([page.waitForNavigation(), page.click("#buy")]);
  const status = await page.$eval("#status", (one) => one.textContent);
  if (!status.startsWith("4")) complain(`${way}: the shop's report was answered ${status}`);
  await context.close();
  const wanted = ["prefetch", "speculation"].includes(way) ? "prefetch" : "not_navigation";
  if (judged.join(" ") !== wanted) complain(`${way}: judged as ${judged.join(" ")}`);
  return judged.join(" ");
}

async function play(browser) {
  const brand = await Person.comes(browser, world);
  const campaign = await opensCampaign(brand, new Clock(sandbox));
  const creator = await Person.comes(browser, world);
  const link = await makesLink(creator, "nils", campaign);
  const site = await elsewhere((url) => {
    const way = ways[url.searchParams.get("by")];
    return way ? `<!doctype html><title>A page</title>${way(url.searchParams.get("link"))}` : null;
  });
  try {
    for (const way of Object.keys(ways)) {
      for (const from of [site.other, site.beside]) {
        const judged = await loads(browser, from, way, link);
        console.log(`${way} of ${new URL(from).hostname}: ${judged}`);
      }
      if (await clicks(creator) !== 0) complain(`${way}: the creator's page counts it`);
      console.log(`STEP ${way}`);
    }
  } finally {
    site.close();
  }
  const before = await redirects();
  const person = await Person.comes(browser, world);
  await person.goes(link);
  await person.sees("You came through a creator's link.");
  await until("the click is counted", async () => await clicks(creator) === 1);
  const after = await redirects();
  if (after.credited !== (before.credited ?? 0) + 1) complain(`credited: ${after.credited}`);
  console.log("STEP person");
}

const browser = await open(executablePath);
try {
  await play(browser);
} finally {
  await browser.close();
}
leave();
