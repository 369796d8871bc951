// Times and amounts as the reader writes them, buttons that copy and print, and parts of pages that keep up.
// Every page is complete without this.
"use strict";

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const written = new Intl.DateTimeFormat(navigator.language, { dateStyle: "medium", timeStyle: "short" });
const numbers = new Intl.NumberFormat(navigator.language, { minimumFractionDigits: 2 });

// Amounts stay decimal texts all the way: no number is as exact.
function writeAmounts(within) {
  for (const amount of within.querySelectorAll(".money, svg .amount")) {
    const text = amount.firstChild;
    const found = /^(\u2212?)([\d,]+\.\d\d)(?=\s|$)/.exec(text?.data ?? "");
    if (found) {
      const number = numbers.format(found[2].replaceAll(",", ""));
      text.data = found[1] + number + text.data.slice(found[0].length);
    }
  }
}

function writeTimes(within) {
  for (const time of within.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    if (!Number.isNaN(at.getTime())) {
      time.title = time.textContent;
      time.textContent = written.format(at);
    }
  }
}

// Amounts inside of sentences, too, so that a page has one way of writing them.
const said = /(?<![\d.,])\d{1,3}(?:,\d{3})*\.\d\d(?=[\s\u00a0](?:USD|EUR|GBP)(?![A-Z]))/g;
const verbatim = "code, pre, textarea, script, style, .mono, .money, .amount";

function writeSentences(within) {
  const texts = document.createTreeWalker(within.body ?? within, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const text = texts.currentNode;
    if (!text.parentElement?.closest(verbatim)) {
      const written = text.data.replace(said, (amount) => numbers.format(amount.replaceAll(",", "")));
      if (written !== text.data) {
        text.data = written;
      }
    }
  }
}

function write(within) {
  writeTimes(within);
  writeAmounts(within);
  writeSentences(within);
}

write(document);

const note = document.getElementById("zone");
if (note && zone) {
  note.textContent = `Times are in your zone, ${zone}.`;
}

for (const button of document.querySelectorAll("button[data-copy]")) {
  const says = button.textContent;
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Select the text to copy it";
    }
    setTimeout(() => { button.textContent = says; }, 2000);
  });
}

for (const button of document.querySelectorAll("button[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}

// On a narrow window the navigation is wider than it: where the reader is stays in sight.
for (const here of document.querySelectorAll("nav [aria-current]")) {
  const list = here.closest("ul");
  const frame = list.scrollWidth > list.clientWidth ? list : list.parentElement;
  frame.scrollLeft = here.offsetLeft - frame.offsetLeft - (frame.clientWidth - here.offsetWidth) / 2;
}

// A form that was sent says so until the next page is there; one that is shown again from memory does not.
addEventListener("submit", (event) => event.target.setAttribute("aria-busy", "true"));
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[aria-busy]")) {
    form.removeAttribute("aria-busy");
  }
});

let asking = null;

// Asks for a page again, and puts its parts in the place of those that are shown. An answer that was overtaken by
// another question is none any more.
async function renew(address) {
  asking?.abort();
  const asked = new AbortController();
  asking = asked;
  const answer = await fetch(address, { headers: { accept: "text/html" }, signal: asked.signal });
  if (!answer.ok) {
    return;
  }
  const text = await answer.text();
  if (asking !== asked) {
    return;
  }
  const page = new DOMParser().parseFromString(text, "text/html");
  write(page);
  for (const part of document.querySelectorAll("[data-part]")) {
    const news = page.querySelector(`[data-part="${CSS.escape(part.dataset.part)}"]`);
    if (news && news.innerHTML !== part.innerHTML) {
      part.replaceChildren(...news.childNodes);
    }
  }
}

// A stream tells of each new entry; several at once are one.
const watched = document.querySelector("[data-events]");
if (watched) {
  let seen = watched.dataset.seen;
  let waits = null;
  const stream = new EventSource(watched.dataset.events);
  // It comes back by itself, unless it is refused: then the session has ended.
  stream.addEventListener("error", () => {
    if (stream.readyState === EventSource.CLOSED) {
      const note = document.createElement("p");
      note.className = "note note-warn";
      note.setAttribute("role", "status");
      const again = document.createElement("a");
      again.href = location.href;
      again.textContent = "Load it again";
      note.append("This page does not keep up any more. ", again);
      document.getElementById("main").prepend(note);
    }
  });
  stream.addEventListener("message", (event) => {
    // The page knows its ledger; the clicks of the moment come with the first word.
    const isFirst = !seen.includes(".") && event.data.split(".")[0] === seen;
    const isKnown = isFirst || event.data === seen;
    seen = event.data;
    if (isKnown) {
      return;
    }
    waits ??= setTimeout(() => {
      waits = null;
      renew(location.href).catch(() => {});
    }, 100);
  });
}

// What a form would mean, while it is filled in.
const live = document.querySelector("form[data-live]");
if (live) {
  let waits = null;
  live.addEventListener("input", () => {
    clearTimeout(waits);
    waits = setTimeout(() => {
      const fields = new URLSearchParams(new FormData(live));
      fields.delete("key");
      renew(`${live.dataset.live}?${fields}`).catch(() => {});
    }, 250);
  });
}
