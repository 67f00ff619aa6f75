"""The strength meter of a new password: the rules of device/owner/passwords.py in the browser's language.

The script is a file of its own, which only the two pages with a new password load and which a browser keeps. Words,
walks, ranges and sentences come from the modules that the device itself uses; a test types passwords into a browser
and compares the meter's reason with the device's. The meter knows only the public words of the device (model, brand,
host name) and the typed set-up code; so its best verdict names the words that only the device can look for.
"""

import json

from device.compat import const
from device.limits import PASSWORD_MAX_BYTES, PASSWORD_MAX_CHARS, PASSWORD_MIN_CHARS
from device.owner import passwords, typed
from device.owner.common_passwords import WORDS
from device.web import texts
from device.web.words import gettext as _

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

_REASONS = ("length-max", "character", "context", "repeated", "common", "sequence")

_SCRIPT = """
(function () {
  "use strict";
  function inside(ranges, point) {
    return ranges.some(function (range) { return range[0] <= point && point <= range[1]; });
  }
  function points(text) { return Array.from(text, function (one) { return one.codePointAt(0); }); }
  function plain(text) {
    return points(text).filter(function (point) {
      return !inside(D.spaces, point) && !inside(D.invisible, point) && "_.,".indexOf(String.fromCodePoint(point)) < 0;
    }).map(function (point) {
      if (point >= 0xFF01 && point <= 0xFF5E) { point -= 0xFEE0; }
      return String.fromCodePoint(point >= 65 && point <= 90 ? point + 32 : point);
    });
  }
  function comparable(text) {
    return plain(text).filter(function (one) { return one > "~" || /[0-9a-z]/.test(one); });
  }
  function holds(password, word) {
    var target = comparable(word), size = Math.min(target.length, D.contextPart), at, part;
    if (target.length < D.contextMin) { return false; }
    for (at = 0; at + size <= target.length; at++) {
      part = target.slice(at, at + size);
      if (password.indexOf(part.join("")) >= 0 || password.indexOf(part.reverse().join("")) >= 0) { return true; }
    }
    return false;
  }
  function repeats(text) {
    if (new Set(text).size < D.distinct) { return true; }
    for (var period = 1; period <= Math.min(D.min - 1, Math.floor(text.length / 2)); period++) {
      if (text.every(function (one, at) { return at < period || one === text[at - period]; })) { return true; }
    }
    return false;
  }
  function word(text) {
    return D.words.reduce(function (longest, one) {
      return one.length > longest && text.startsWith(one) ? one.length : longest;
    }, 0);
  }
  function walked(text, at, walk, step) {
    var index = walk.indexOf(text[at]), length = 1;
    while (at + length < text.length) {
      index = (index + step + walk.length) % walk.length;
      if (text[at + length] !== walk[index]) { break; }
      length++;
    }
    return length;
  }
  function run(text, at) {
    var longest = 1;
    while (at + longest < text.length && text[at + longest] === text[at]) { longest++; }
    D.walks.forEach(function (walk) {
      if (walk.indexOf(text[at]) >= 0) {
        longest = Math.max(longest, walked(text, at, walk, 1), walked(text, at, walk, -1));
      }
    });
    return longest >= D.run ? longest : 0;
  }
  function pieces(text) {
    var spoken = text.map(function (one) { return D.leet[one] || one; });
    var at = 0, count = 0, seen = false, found, length;
    while (at < text.length) {
      found = Math.max(word(text.slice(at).join("")), word(spoken.slice(at).join("")));
      length = run(text, at);
      seen = seen || (found > 0 && found >= length);
      at += Math.max(found, length, 1);
      count++;
    }
    return count >= D.pieces ? "" : seen ? "common" : "sequence";
  }
  function ascii(text) { return Array.from(text).filter(function (one) { return one <= "~"; }).join(""); }
  function reason(password, words) {
    var all = points(password), text = plain(password), letters = comparable(password);
    var compared = letters.join(""), forms = [compared, compared.normalize("NFKD").toLowerCase()].map(ascii);
    forms.push(compared);
    if (all.length < D.min) { return "length-min"; }
    if (all.length > D.max || new TextEncoder().encode(password).length > D.maxBytes) { return "length-max"; }
    if (all.some(function (point) { return inside(D.refused, point) || inside(D.invisible, point); })) {
      return "character";
    }
    if (words.some(function (one) { return forms.some(function (form) { return holds(form, one); }); })) {
      return "context";
    }
    return repeats(text) ? "repeated" : pieces(text);
  }
  var shown = document.getElementById("strength"), field = document.getElementById("password");
  var code = document.getElementById("code");
  function show() {
    var password = field.value.normalize("NFKC"), left = D.min - points(password).length;
    var words = shown.dataset.words.split("\\n").concat(location.hostname, code ? code.value : "");
    var why = reason(password, words);
    shown.dataset.reason = why;
    shown.className = "hint strength " + (why ? "bad" : "good");
    if (!password) { shown.textContent = ""; }
    else if (why === "length-min") { shown.textContent = D.left.replace("{}", left); }
    else { shown.textContent = why ? D.texts[why] : D.good; }
  }
  shown.hidden = false;
  field.addEventListener("input", show);
  if (code) { code.addEventListener("input", show); }
  if (field.value) { show(); }
})();
"""


def script() -> "tuple[str, ...]":
    """Return the script with its data, in pieces."""
    data: "dict[str, Any]" = {
        "min": PASSWORD_MIN_CHARS,
        "max": PASSWORD_MAX_CHARS,
        "maxBytes": PASSWORD_MAX_BYTES,
        "distinct": passwords.DISTINCT_CHARS,
        "pieces": passwords.EFFECTIVE_CHARS,
        "run": passwords.RUN_CHARS,
        "contextMin": passwords.CONTEXT_MIN_CHARS,
        "contextPart": passwords.CONTEXT_PART_CHARS,
        "leet": passwords.LEET,
        "walks": passwords.WALKS,
        "spaces": typed.SPACES_AND_DASHES,
        "invisible": typed.INVISIBLE,
        "refused": passwords.REFUSED,
        "texts": {reason: texts.password_text(reason) for reason in _REASONS},
        "good": _(
            "Strong, unless it contains something that is printed on the device, such as its serial number."
        ),
        "left": _("Characters still missing: {}"),
    }
    pieces = ["var D = ", json.dumps(data), ';\nD.words = "']
    for first in WORDS:  # letters, digits and blanks: no character that JavaScript reads in another way
        pieces += [WORDS[first], " "]
    pieces += ['".trim().split(" ");', _SCRIPT]
    return tuple(pieces)
