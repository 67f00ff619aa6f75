// Keeps the page fresh and the scanner's keys in the scan field. Without it the page still works, by reloading.
"use strict";
(() => {
  // A form that was sent is not sent again by a second click or a second Enter.
  const forms = document.querySelectorAll("form[data-once]");
  for (const form of forms) {
    form.addEventListener("submit", (event) => {
      if (form.getAttribute("aria-busy") === "true") event.preventDefault();
      form.setAttribute("aria-busy", "true");
    });
  }
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) for (const form of forms) form.removeAttribute("aria-busy");
  });
  const tiles = document.getElementById("tiles");
  const slot = (id) => {
    let found = document.getElementById(id);
    if (!found && id.startsWith("port-")) {
      found = document.createElement("div");
      found.id = id;
      found.className = "slot";
      tiles.append(found);
      const none = document.getElementById("none");
      if (none) none.remove();
    }
    return found;
  };
  const show = (parts) => {
    for (const [id, html] of Object.entries(parts)) {
      const place = slot(id);
      if (!place) continue;
      const focused = place.contains(document.activeElement) ? document.activeElement.id : "";
      if (html === "" && id.startsWith("port-")) place.remove();
      else place.innerHTML = html;
      if (focused) (document.getElementById(focused) || document.getElementById("scan")).focus();
    }
    const running = document.querySelector("#totals dl div:last-child dd");
    if (running) {
      document.getElementById("start").disabled = running.textContent === "on";
      document.getElementById("stop").disabled = running.textContent !== "on";
    }
  };
  if (!tiles) return;
  const source = new EventSource("/events");
  source.addEventListener("parts", (event) => show(JSON.parse(event.data)));
  source.addEventListener("error", () => {
    if (source.readyState === EventSource.CLOSED) location.reload(); // the session ended: the sign-in page comes
    document.getElementById("note").textContent = "The station does not answer. This page may be out of date.";
  });
  source.addEventListener("open", () => {
    const note = document.getElementById("note");
    if (note.textContent.startsWith("The station does not answer")) note.textContent = "";
  });
  // A barcode scanner types: its keys go to the scan field wherever the focus is, unless the operator types in another field.
  document.addEventListener("keydown", (event) => {
    const at = document.activeElement;
    const isTyping = at && (at.tagName === "INPUT" || (at.tagName === "BUTTON" && (event.key === "Enter" || event.key === " ")));
    if (!isTyping && event.key.length === 1 && !event.ctrlKey && !event.altKey && !event.metaKey) {
      document.getElementById("scan").focus();
    }
  });
})();
