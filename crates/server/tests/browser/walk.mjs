// A real browser walks all pages as three people, in both themes, on a desk and on a phone.
//
// Pages are found by following links, so a new one is walked without being named here. Complaints, one a
// line: an error on the console (also of the content security policy), a request to another site, an answer
// that is no page, anything that axe finds, something wider than the window, more than 150 kB.
import { readFileSync } from "node:fs";
import puppeteer from "puppeteer-core";

const [base, executablePath] = process.argv.slice(2);
const axe = readFileSync(new URL("node_modules/axe-core/axe.min.js", import.meta.url), "utf8");
const complaints = [];
const complain = (text) => complaints.push(text);

// Addresses that differ only in what they are about are one page; one that shows an answer is another.
const shape = (path) => path.replace(/[a-z]{3}_[0-9a-v]{26}/g, "…").replace(/\/\d+/g, "/…")
  .replace(/\?(?!sample=).*/, "");

// Answers that only a form leads to.
const answers = { "/brand/what-if": "/brand/what-if?sample=1" };

const sizes = { desk: [1280, 900], phone: [390, 844] };

async function look(page, path, bytes) {
  for (const theme of ["light", "dark"]) {
    for (const [name, [width, height]] of Object.entries(sizes)) {
      const where = `${shape(path)} ${theme} ${name}`;
      await page.setViewport({ width, height });
      await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: theme }]);
      bytes.sum = 0;
      const answer = await page.goto(base + path, { waitUntil: "load" });
      if (answer.status() !== 200) complain(`${where}: status ${answer.status()}`);
      if (bytes.sum > 150_000) complain(`${where}: ${bytes.sum} bytes`);
      const wider = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (wider > 0) complain(`${where}: ${wider} pixels wider than the window`);
      await page.evaluate(axe);
      const found = await page.evaluate(async () => (await axe.run()).violations.map(
        (one) => `${one.id} (${one.impact}): ${one.nodes[0].html.slice(0, 160)}`));
      for (const one of found) complain(`${where}: ${one}`);
    }
  }
}

async function walk(browser, who, from) {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  const bytes = { sum: 0 };
  page.on("console", (said) => {
    if (["error", "warn"].includes(said.type())) complain(`${page.url()}: console: ${said.text()}`);
  });
  page.on("pageerror", (error) => complain(`${page.url()}: ${error.message}`));
  page.on("request", (request) => {
    const url = request.url();
    const isSignIn = request.isNavigationRequest() && url.includes("/clerk/sign-in");
    if (!url.startsWith(base) && !url.startsWith("data:") && !isSignIn) complain(`asks ${url}`);
  });
  page.on("response", async (answer) => {
    bytes.sum += Number(answer.headers()["content-length"] ?? 0);
  });
  if (who) {
    await page.goto(`${base}/sign-in`);
    const press = page.evaluate((who) => {
      const names = [...document.querySelectorAll(".people strong")];
      names.find((name) => name.textContent === who).closest("button").click();
    }, who);
    await Promise.all([page.waitForNavigation(), press]);
    if (new URL(page.url()).pathname !== from) complain(`${who} comes to ${page.url()}`);
  }
  const seen = new Set();
  const waiting = [from];
  while (waiting.length > 0) {
    const path = waiting.shift();
    if (seen.has(shape(path))) continue;
    seen.add(shape(path));
    await look(page, path, bytes);
    const links = await page.evaluate(() => [...document.querySelectorAll("a[href]:not([download])")]
      .map((link) => new URL(link.getAttribute("href"), location.href))
      .filter((to) => to.origin === location.origin && !to.pathname.startsWith("/api/"))
      .map((to) => to.pathname + to.search));
    waiting.push(...links);
    if (answers[path]) waiting.push(answers[path]);
  }
  if (who) {
    // The theme switch, and the way past the navigation, by keyboard.
    await page.goto(base + from);
    await page.keyboard.press("Tab");
    const first = await page.evaluate(() => document.activeElement.textContent);
    if (first !== "Skip to the content") complain(`the first stop of the keyboard is ${first}`);
    await Promise.all([page.waitForNavigation(), page.click("button[name=theme]")]);
    const theme = await page.evaluate(() => document.documentElement.dataset.theme);
    if (theme !== "dark") complain(`the switch chooses ${theme}`);
    const times = await page.evaluate(() => document.getElementById("zone").textContent);
    if (!times.includes("your zone")) complain(`times: ${times}`);
    const leave = page.evaluate(() => document.querySelector("form[action='/sign-out'] button").click());
    await Promise.all([page.waitForNavigation(), leave]);
    await page.goto(base + from);
    if (!page.url().includes("/sign-in?to=")) complain(`signed out, and still at ${page.url()}`);
  }
  await context.close();
  return seen;
}

const browser = await puppeteer.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
try {
  for (const [who, from] of [
    [null, "/"], ["Fjord Coffee", "/brand"], ["ada", "/creator"], ["The operator", "/admin"],
  ]) {
    const seen = await walk(browser, who, from);
    console.log(`${who ?? "nobody"}: ${[...seen].sort().join(" ")}`);
  }
} finally {
  await browser.close();
}
for (const one of [...new Set(complaints)]) console.log(`COMPLAINT ${one}`);
process.exit(complaints.length > 0 ? 1 : 0);
