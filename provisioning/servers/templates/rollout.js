// Keeps the page fresh. Without it the page still works, by reloading.
"use strict";
(() => {
  const view = document.getElementById("view");
  const note = document.getElementById("note");
  const source = new EventSource("/events");
  source.addEventListener("view", (event) => {
    view.innerHTML = JSON.parse(event.data);
  });
  source.addEventListener("open", () => {
    note.textContent = "";
  });
  source.addEventListener("error", () => {
    note.textContent = "The rollout does not answer. This page may be out of date.";
  });
})();
