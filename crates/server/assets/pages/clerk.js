// Signing in and out by the identity provider's script, which also renews the session while a page is open.
"use strict";

const place = document.querySelector("[data-clerk]");

function say(text) {
  if (place) {
    place.textContent = text;
  }
}

async function start() {
  if (!window.Clerk) {
    say("The identity provider's script could not be loaded. Reload the page in a moment.");
    return;
  }
  await window.Clerk.load({ ui: { ClerkUI: window.__internal_ClerkUICtor } });
  const wanted = place?.dataset.clerk;
  const to = place?.dataset.to ?? "/";
  if (wanted === "sign-out") {
    await window.Clerk.signOut();
    location.replace("/");
  } else if (wanted === "sign-in" && window.Clerk.session) {
    // Signed in at the provider: its script has put a fresh session into the cookie.
    await window.Clerk.session.getToken();
    location.replace(to);
  } else if (wanted === "sign-in") {
    say("");
    window.Clerk.mountSignIn(place, { forceRedirectUrl: to, signUpForceRedirectUrl: to });
  }
}

addEventListener("load", () => start().catch(() => say("Signing in does not work at this moment.")));
