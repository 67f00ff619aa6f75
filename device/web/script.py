"""The inline script of every page; the content security policy allows exactly this text by its hash. Every page works
without it.

It converts typed text to one Unicode form (NFKC), shows passwords on request, compares the two fields of a new one,
marks a form that was sent as busy, and takes the set-up code out of the address's fragment (`#code=...`, from the
label's QR code), which a browser sends to nobody. Then it removes the code from address and history.
"""

import binascii
import hashlib

SCRIPT = """
(function () {
  "use strict";
  var code = document.getElementById("code");
  var link = document.getElementById("start");
  function scan() {
    var found = /[#&]code=([0-9A-Za-z-]{1,64})/.exec(location.hash);
    if (!found) { return; }
    if (code) { code.value = found[1]; code.dispatchEvent(new Event("input")); }
    if (link) { link.href = "/setup#code=" + found[1]; }
    history.replaceState(null, "", location.pathname);
  }
  scan();
  window.addEventListener("hashchange", scan);
  var fields = document.querySelectorAll("input[type=password]");
  var show = document.getElementById("show");
  if (show) {
    show.parentNode.hidden = false;
    show.addEventListener("change", function () {
      fields.forEach(function (field) { field.type = show.checked ? "text" : "password"; });
    });
  }
  function normal(field) { return field.value.normalize("NFKC"); }
  var fresh = document.getElementById("password");
  var again = document.getElementById("again");
  if (again) {
    [fresh, again].forEach(function (field) {
      field.addEventListener("input", function () {
        var differs = again.value && normal(again) !== normal(fresh);
        again.setCustomValidity(differs ? again.dataset.differ : "");
      });
    });
  }
  function busy(form, is) {
    var button = form.querySelector("button");
    form.setAttribute("aria-busy", is);
    button.disabled = is;
    button.textContent = is ? document.body.dataset.wait : button.dataset.text;
  }
  Array.from(document.forms).forEach(function (form) {
    var button = form.querySelector("button");
    button.dataset.text = button.textContent;
    form.addEventListener("submit", function (event) {
      if (button.disabled) { event.preventDefault(); return; }
      form.querySelectorAll("input[type=password],input[type=text]").forEach(function (field) {
        field.value = normal(field);
      });
      if (form.elements.normalised) { form.elements.normalised.value = "1"; }
      busy(form, true);
    });
    window.addEventListener("pageshow", function (event) { if (event.persisted) { busy(form, false); } });
  });
})();
"""


def csp_source() -> str:
    """Return the source expression of Content-Security-Policy that allows exactly SCRIPT inline."""
    digest = hashlib.sha256(SCRIPT.encode()).digest()
    return "'sha256-" + binascii.b2a_base64(digest).decode().strip() + "'"
