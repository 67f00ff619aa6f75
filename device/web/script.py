"""The pages' only script, inline; the policy allows exactly this text by its hash. Every page works without it.

It brings passwords to one Unicode form (NFKC), shows them on request, and takes the set-up code out of the
address's fragment (`#code=...`, from the label's QR code), which a browser sends to nobody; then it clears it.
"""

import binascii
import hashlib

SCRIPT = """
(function () {
  "use strict";
  var code = document.getElementById("code");
  var link = document.getElementById("start");
  var found = /[#&]code=([0-9A-Za-z-]{1,64})/.exec(location.hash);
  if (found && code) { code.value = found[1]; history.replaceState(null, "", location.pathname); }
  if (found && link) { link.href += location.hash; }
  var fields = document.querySelectorAll("input[type=password]");
  var show = document.getElementById("show");
  if (show) {
    show.parentNode.hidden = false;
    show.addEventListener("change", function () {
      fields.forEach(function (field) { field.type = show.checked ? "text" : "password"; });
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
