// Times in the reader's zone, buttons that copy, and parts of pages that keep up. Every page is complete
// without this.
"use strict";

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const written = new Intl.DateTimeFormat(document.documentElement.lang, {
  dateStyle: "medium",
  timeStyle: "short",
});

function writeTimes(within) {
  for (const time of within.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    if (!Number.isNaN(at.getTime())) {
      time.title = time.textContent;
      time.textContent = written.format(at);
    }
  }
}

writeTimes(document);

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

// Asks for a page again, and puts its parts in the place of those that are shown.
async function renew(address) {
  const answer = await fetch(address, { headers: { accept: "text/html" } });
  if (!answer.ok) {
    return;
  }
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  writeTimes(page);
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
  new EventSource(watched.dataset.events).addEventListener("message", (event) => {
    if (event.data === seen) {
      return;
    }
    seen = event.data;
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
