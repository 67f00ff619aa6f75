"""The pages' only script, inline; the policy allows exactly this text by its hash. Every page works without it.

It brings passwords to one Unicode form (NFKC), shows them on request, compares the two fields of a new one, tells how
strong it is while it is typed (a comfort: the device decides, device/owner/passwords.py), and takes the set-up code out
of the address's fragment (`#code=...`, from the label's QR code), which a browser sends to nobody; then it clears it
from address and history.
"""

import binascii
import hashlib

SCRIPT = """
(function () {
  "use strict";
  var code = document.getElementById("code");
  var link = document.getElementById("start");
  var found = /[#&]code=([0-9A-Za-z-]{1,64})/.exec(location.hash);
  if (found && code) { code.value = found[1]; }
  if (found && link) { link.href += "#code=" + found[1]; }
  if (found) { history.replaceState(null, "", location.pathname); }
  var fields = document.querySelectorAll("input[type=password]");
  var show = document.getElementById("show");
  if (show) {
    show.parentNode.hidden = false;
    show.addEventListener("change", function () {
      fields.forEach(function (field) { field.type = show.checked ? "text" : "password"; });
    });
  }
  var said = document.getElementById("strength");
  var fresh = document.getElementById("password");
  if (said && fresh) {
    said.hidden = false;
    fresh.addEventListener("input", function () {
      var points = Array.from(fresh.value.normalize("NFKC"), function (sign) { return sign.codePointAt(0); });
      var left = 15 - points.length;
      var pieces = points.filter(function (point, at) {
        return at === 0 || Math.abs(point - points[at - 1]) > 1;
      }).length;
      var kind = left > 0 || pieces < 8 ? "bad" : pieces < 18 ? "fair" : "good";
      said.className = "hint strength " + kind;
      said.textContent = !points.length ? "" : left > 0 ? left + " more to go"
        : kind === "bad" ? "Weak: it repeats itself or counts up"
        : kind === "fair" ? "Long enough; a few more words make it stronger" : "Strong";
    });
  }
  var again = document.getElementById("again");
  if (again && fresh) {
    [fresh, again].forEach(function (field) {
      field.addEventListener("input", function () {
        var differs = again.value && again.value !== fresh.value;
        again.setCustomValidity(differs ? "The two passwords are not the same." : "");
      });
    });
  }
  var form = document.querySelector("form[data-password]");
  if (form) {
    form.addEventListener("submit", function () {
      fields.forEach(function (field) { field.value = field.value.normalize("NFKC"); });
      form.elements.normalised.value = "1";
    });
  }
})();
"""


def csp_source() -> str:
    """Give the source expression of Content-Security-Policy that allows SCRIPT and nothing else."""
    digest = hashlib.sha256(SCRIPT.encode()).digest()
    return "'sha256-" + binascii.b2a_base64(digest).decode().strip() + "'"
