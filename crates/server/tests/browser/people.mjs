// People with browsers: what they press, write and see, and what nobody may see happen around them.
import { once } from "node:events";
import puppeteer from "puppeteer-core";

export const complaints = [];
export const complain = (text) => complaints.push(text);

// Ends with what was complained of.
export function leave() {
  for (const one of [...new Set(complaints)]) console.log(`COMPLAINT ${one}`);
  process.exit(complaints.length > 0 ? 1 : 0);
}

// A browser without a window says so in its name, and what says that it is a machine earns nothing.
const agent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Safari/537.36";

export const open = (executablePath) => puppeteer.launch({
  executablePath,
  args: ["--no-sandbox", "--disable-gpu", "--lang=en-US", `--user-agent=${agent}`],
});

// Notes what a page must not do: an error or a warning on the console (also of the content security policy), a
// script that fails, a request to a host that is none of these.
export function watch(page, homes) {
  page.on("console", (said) => {
    if (["error", "warn"].includes(said.type())) complain(`${page.url()}: console: ${said.text()}`);
  });
  page.on("pageerror", (error) => complain(`${page.url()}: ${error.message}`));
  page.on("request", (request) => {
    const url = request.url();
    const isHome = homes.some((home) => url === home || url.startsWith(`${home}/`));
    if (!isHome && !url.startsWith("data:")) complain(`${page.url()} asks ${url}`);
  });
}

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

// Waits until something is so; what it is not is said in words.
export async function until(what, is, ms = 20_000) {
  const begun = Date.now();
  for (;;) {
    const found = await is().catch(() => null);
    if (found) return Date.now() - begun;
    if (Date.now() - begun > ms) throw new Error(`not within ${ms} ms: ${what}`);
    await sleep(25);
  }
}

// Somebody in front of a browser of their own.
export class Person {
  constructor(page, world) {
    this.page = page;
    this.world = world;
  }

  static async comes(browser, world, agent) {
    const context = await browser.createBrowserContext();
    await context.overridePermissions(world.base, ["clipboard-read", "clipboard-write", "clipboard-sanitized-write"]);
    const page = await context.newPage();
    page.setDefaultTimeout(20_000);
    await page.setViewport({ width: 1280, height: 900 });
    if (agent) await page.setUserAgent({ userAgent: agent });
    watch(page, [world.base, world.sandbox]);
    return new Person(page, world);
  }

  text() {
    return this.page.evaluate(() => document.body.innerText.replace(/[\s\u00a0]+/g, " "));
  }

  // What is on the page now, or comes to be on it without another visit.
  async sees(text, ms) {
    return until(`${this.page.url()} says "${text}"`, async () => (await this.text()).includes(text), ms)
      .catch(async (error) => { throw new Error(`${error.message}\n${await this.text()}`); });
  }

  // Looks again until it is there, as somebody does who waits for something.
  async finds(text, ms = 30_000) {
    return until(`${this.page.url()} says "${text}"`, async () => {
      if ((await this.text()).includes(text)) return true;
      await this.page.reload({ waitUntil: "load" });
      return (await this.text()).includes(text);
    }, ms).catch(async (error) => { throw new Error(`${error.message}\n${await this.text()}`); });
  }

  goes(path) {
    return this.page.goto(path.startsWith("http") ? path : this.world.base + path, { waitUntil: "load" });
  }

  async button(name, role) {
    const selector = `::-p-aria([name="${name}"][role="${role}"])`;
    const found = await this.page.waitForSelector(selector, { visible: true }).catch(() => null);
    if (!found) throw new Error(`no ${role} "${name}" at ${this.page.url()}:\n${await this.text()}`);
    return found;
  }

  // Presses a button that does something on the page.
  async presses(name) {
    await (await this.button(name, "button")).click();
  }

  // Presses a button or follows a link that leads to another page.
  async takes(name, role = "button") {
    const found = await this.button(name, role);
    const [answer] = await Promise.all([
      this.page.waitForNavigation({ waitUntil: "load" }),
      found.click(),
    ]);
    return answer;
  }

  follows(name) {
    return this.takes(name, "link");
  }

  // The field behind a label.
  async field(label) {
    const found = await this.page.evaluateHandle((label) => {
      const own = (one) => [...one.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE);
      const says = (one) => own(one).map((node) => node.textContent).join(" ").trim();
      return [...document.querySelectorAll("label")].find((one) => says(one) === label)?.control;
    }, label);
    const field = found.asElement();
    if (!field) throw new Error(`no field "${label}" at ${this.page.url()}`);
    return field;
  }

  async writes(label, text) {
    const field = await this.field(label);
    await field.click({ count: 3 });
    await field.type(text);
    const value = await field.evaluate((field) => field.value);
    if (value !== text) throw new Error(`"${label}" says ${value} instead of ${text}`);
  }

  // A date by the keys, beginning at the month.
  async writesDate(label, date) {
    const field = await this.field(label);
    const [year, month, day] = date.split("-");
    await field.focus();
    await this.page.keyboard.type(month + day + year);
    const value = await field.evaluate((field) => field.value);
    if (value !== date) throw new Error(`"${label}" says ${value} instead of ${date}`);
  }

  // Signs in as somebody whom the page offers.
  async signsInAs(name) {
    await this.goes("/sign-in");
    const [found] = await this.page.$$(`xpath/.//button[strong[text()="${name}"]]`);
    if (!found) throw new Error(`the page does not offer ${name}`);
    await Promise.all([this.page.waitForNavigation({ waitUntil: "load" }), found.click()]);
  }

  // A figure of a list of figures by what it is called.
  figure(name) {
    return this.page.evaluate((name) => {
      const terms = [...document.querySelectorAll("dt")];
      const found = terms.find((term) => term.textContent.trim() === name);
      return found?.nextElementSibling?.textContent.replace(/[\s\u00a0]+/g, " ").trim() ?? null;
    }, name);
  }

  // Waits, without another visit, until a figure is that.
  reads(name, value, ms) {
    return until(`${name} is ${value} at ${this.page.url()}`, async () => await this.figure(name) === value, ms)
      .catch(async (error) => { throw new Error(`${error.message}, but ${await this.figure(name)}`); });
  }

  close() {
    return this.page.browserContext().close();
  }
}

// The sandbox's clock, which is moved by its control API and by nobody in a browser.
export class Clock {
  constructor(sandbox) {
    this.url = `${sandbox}/_control/clock`;
  }

  async move(body) {
    const headers = { "content-type": "application/json" };
    const answer = await fetch(this.url, { method: "POST", headers, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`the clock: ${answer.status} ${await answer.text()}`);
    return answer.json();
  }

  async day(after) {
    const { now_ms } = await (await fetch(this.url)).json();
    return new Date(now_ms + after * 86_400_000).toISOString().slice(0, 10);
  }
}

// A brand opens a campaign, pays its budget in and launches it.
export async function opensCampaign(brand, clock) {
  await brand.signsInAs("Fjord Coffee");
  await brand.follows("New campaign");
  await brand.writes("Budget", "1500");
  await brand.writesDate("Last day", await clock.day(60));
  await brand.writes("Where links may lead", "shop.example");
  await brand.sees("An order of 50.00 USD pays the creator 5.00 USD.");
  await brand.sees("Enough for about 285 orders of 50.00 USD.");
  await brand.takes("Open the campaign");
  await brand.sees("It is open. Pay the budget in, and then launch it.");
  await brand.sees("0.00 USD of 1,500.00 USD are confirmed; 1,500.00 USD are missing");
  const path = new URL(brand.page.url()).pathname;
  await brand.follows("Add funds");
  await brand.sees("with this amount you pay 1,561.00 USD");
  await brand.takes("Go to the checkout");
  await brand.sees("1561.00 USD");
  await brand.takes("Pay by card");
  await brand.sees("Thank you. As soon as the payment provider's event is verified");
  // Nobody asks for the page again: it keeps up.
  await brand.sees("The budget of 1,500.00 USD is confirmed");
  await brand.follows("Launch");
  await brand.sees("Launch this campaign?");
  await brand.takes("Launch");
  await brand.sees("It is live: clicks are credited from now on.");
  return path;
}

// Somebody new becomes a creator, takes part in the newest campaign, and makes a link to the sandbox's shop.
export async function makesLink(creator, name, campaign) {
  await creator.goes("/sign-in");
  await creator.writes("Name", name);
  await creator.takes("As a creator");
  await creator.sees("What are you called?");
  await creator.writes("What are you called?", name);
  await creator.takes("Join");
  await creator.sees("You take part in no campaign yet");
  await creator.follows("Find campaigns");
  await creator.sees("Funds confirmed 1,500.00 USD");
  const action = `/creator/campaigns/${campaign.split("/").pop()}/join`;
  const button = await creator.page.$(`form[action="${action}"] button`);
  if (!button) throw new Error(`${campaign} is not offered`);
  await Promise.all([creator.page.waitForNavigation({ waitUntil: "load" }), button.click()]);
  await creator.sees("You take part. Make a link or a promo code and share it.");
  await creator.writes("Where should your link lead?", `${creator.world.sandbox}/shop/`);
  await creator.takes("Make a link");
  await creator.sees("Your link is ready.");
  await creator.presses("Copy");
  await creator.sees("Copied");
  const link = await creator.page.evaluate(() => navigator.clipboard.readText());
  if (!link.startsWith(`${creator.world.base}/r/`)) throw new Error(`copied: ${link}`);
  return link;
}

// A site of somebody else, under an address that is another site for browsers (`localhost`) and under one that
// differs by its port only (`127.0.0.1`), where cookies come along.
export async function elsewhere(pages) {
  const { createServer } = await import("node:http");
  const server = createServer((request, response) => {
    const body = pages(new URL(request.url, "http://localhost"));
    response.writeHead(body === null ? 404 : 200, { "content-type": "text/html; charset=utf-8" });
    response.end(body ?? "");
  });
  server.listen(0, "0.0.0.0");
  await once(server, "listening");
  const { port } = server.address();
  const close = () => { server.closeAllConnections(); server.close(); };
  return { other: `http://localhost:${port}`, beside: `http://127.0.0.1:${port}`, close };
}
