// Times in the reader's zone, and buttons that copy. Every page is complete without this.
"use strict";

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const written = new Intl.DateTimeFormat(document.documentElement.lang, {
  dateStyle: "medium",
  timeStyle: "short",
});

for (const time of document.querySelectorAll("time[datetime]")) {
  const at = new Date(time.dateTime);
  if (!Number.isNaN(at.getTime())) {
    time.title = time.textContent;
    time.textContent = written.format(at);
  }
}

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
