// Comfort only: every page works without this file.
"use strict";

const say = (words) => {
  document.getElementById("status").textContent = words;
};

// A second press of the same button does nothing; a page that came back from memory starts afresh.
const ENOUGH_MS = 30000;

const setBusy = (form, isBusy) => {
  const button = form.querySelector("button[type=submit]");
  form.dataset.busy = isBusy ? "yes" : "";
  if (!button || !button.dataset.busy) return;
  if (isBusy) {
    button.dataset.idle = button.textContent;
    button.textContent = button.dataset.busy;
    button.setAttribute("aria-busy", "true");
    say(button.dataset.busy);
  } else if (button.dataset.idle) {
    button.textContent = button.dataset.idle;
    button.removeAttribute("aria-busy");
    say("");
  }
};

const onceForms = document.querySelectorAll("form[data-once]");
for (const form of onceForms) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.busy) {
      event.preventDefault();
      return;
    }
    setBusy(form, true);
    setTimeout(() => setBusy(form, false), ENOUGH_MS);
  });
}
addEventListener("pageshow", (event) => {
  if (event.persisted) onceForms.forEach((form) => setBusy(form, false));
});

// Run once the time has come and somebody is looking.
const whenSeen = (act, delayMs) =>
  setTimeout(() => {
    if (!document.hidden) {
      act();
      return;
    }
    document.addEventListener("visibilitychange", act, { once: true });
  }, delayMs);

// A page that waits for Podero shows the outcome by itself, asking ever more rarely.
const FIRST_ASK_MS = 2000;
const watched = document.querySelector("[data-status-url]");
if (watched) {
  const since = Date.now();
  const askAgain = (delayMs) => whenSeen(ask, Math.max(delayMs, (Date.now() - since) / 10));
  const ask = async () => {
    let answer;
    try {
      const reply = await fetch(watched.dataset.statusUrl, { headers: { Accept: "application/json" } });
      if (reply.status === 401 || reply.status === 404) {
        location.reload();
        return;
      }
      answer = await reply.json();
    } catch {
      askAgain(10000);
      return;
    }
    const isPressed = document.querySelector("form[data-busy=yes]");
    const isNews =
      answer.state !== watched.dataset.state ||
      ("unsettled" in watched.dataset && answer.is_settled);
    if (answer.state && isNews && !isPressed) {
      location.reload();
    } else if (answer.next_poll_ms) {
      askAgain(answer.next_poll_ms);
    }
  };
  whenSeen(ask, FIRST_ASK_MS);
}

// Podero could not be reached: press the button for the customer, once per page.
const retry = document.querySelector("form[data-retry-ms]");
if (retry) {
  whenSeen(() => {
    if (!retry.dataset.busy) retry.requestSubmit();
  }, Number(retry.dataset.retryMs));
}

// A link that did not open holds a key, and a customer's number and address.
if (new URLSearchParams(location.search).has("token")) history.replaceState(null, "", location.pathname);

const summary = document.querySelector(".error-summary");
if (summary) summary.focus();

for (const button of document.querySelectorAll("[data-print]")) {
  button.addEventListener("click", () => print());
}
