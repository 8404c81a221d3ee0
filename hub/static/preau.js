/* What a page gains when scripts run. Everything works without this file. */
"use strict";

for (const box of document.querySelectorAll("[data-reveal]")) {
  const field = document.getElementById(box.dataset.reveal);
  const follow = () => { field.type = box.checked ? "text" : "password"; };
  box.closest(".reveal").hidden = false;
  box.addEventListener("change", follow);
  /* Sent as a password, so that no browser keeps it among the texts to suggest. */
  field.form.addEventListener("submit", () => { box.checked = false; follow(); });
}

/* A second press while the first is on its way would send the form twice; a person who gave up waiting may try again. */
const PATIENCE = 10000; /* milliseconds */
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.ariaBusy === "true") return event.preventDefault();
  form.ariaBusy = "true";
  setTimeout(() => { form.ariaBusy = null; }, PATIENCE);
});
window.addEventListener("pageshow", () => {
  for (const form of document.forms) form.ariaBusy = null;
});

/* The reason of a refusal is read first, wherever it stands; else the first field to correct. */
(document.getElementById("alert") ?? document.querySelector("[aria-invalid]"))?.focus();
