"use strict";
// Checks a list against the kit's data, as provisioning/kit/check.py does. Shows every value as text, never as HTML.
(function () {
  const MOST_SHOWN = 500;
  const { content, results, lists } = JSON.parse(document.getElementById("data").textContent);
  const statements = new Map(content.statements.map(one => [one.id, one]));
  const units = new Map(content.units.map(one => [one.serial, one]));
  const serial = new RegExp(`^(?:${lists.serial})$`);
  const form = document.getElementById("form"), typed = document.getElementById("serials"), file = document.getElementById("file");
  const summary = document.getElementById("summary"), found = document.getElementById("found"), print = document.getElementById("print");

  class ListError extends Error {}

  function readList(text) {
    const listed = [];
    text.split(/\r\n|\r|\n/).forEach((raw, at) => {
      if (new TextEncoder().encode(raw).length > lists.line_bytes) throw new ListError(`Line ${at + 1} is longer than ${lists.line_bytes} bytes.`);
      const line = stripped(raw);
      if (!line) return;
      if (listed.length === lists.units) throw new ListError(`The list has more than ${lists.units} units.`);
      listed.push(line.startsWith("{") ? packingLine(line, at + 1) : { serial: serialOf(line, at + 1), consignee: null, statement: null });
    });
    if (!listed.length) throw new ListError("The list has no serial number.");
    return listed;
  }

  function stripped(text) {
    let start = 0, end = text.length;
    while (start < end && lists.spaces.includes(text[start])) start += 1;
    while (start < end && lists.spaces.includes(text[end - 1])) end -= 1;
    return text.slice(start, end);
  }

  function serialOf(text, line) {
    if (typeof text === "string" && serial.test(text)) return text;
    throw new ListError(`Line ${line} is not a serial number: write one serial number a line.`);
  }

  function packingLine(text, line) {
    let entry = null;
    try { entry = JSON.parse(text).entry; } catch { entry = null; }
    if (!entry || entry.event !== lists.event) throw new ListError(`Line ${line} is not a line of a packing list.`);
    const named = entry.consignee, stated = entry.statement;
    return {
      serial: serialOf(entry.serial, line),
      consignee: named && typeof named.id === "string" ? named.id : null,
      statement: stated && typeof stated.sha256 === "string" ? stated.sha256 : "",
    };
  }

  function check(listed, today) {
    const bySerial = new Map();
    for (const one of listed) {
      if (!bySerial.has(one.serial)) bySerial.set(one.serial, []);
      bySerial.get(one.serial).push(one);
    }
    return [...bySerial].map(([serial, lines]) => answer(serial, lines, today));
  }

  function answer(serial, lines, today) {
    const unit = units.get(serial), statement = unit && statements.get(unit.statement), applying = new Set();
    if (today < content.issued) applying.add("clock");
    if (today > content.valid_until) applying.add("kit-old");
    if (lines.length > 1) applying.add("listed-twice");
    for (const one of lines) {
      if (one.consignee !== null && one.consignee !== content.consignee) applying.add("other-consignee");
      else if (unit && one.statement !== null && one.statement !== statement.sha256) applying.add("wrong-line");
    }
    const facts = { serial, maker: content.maker, issued: content.issued, valid_until: content.valid_until };
    if (!unit) {
      if (!applying.has("other-consignee")) applying.add("unknown");
    } else {
      const labels = statement.labels.map(one => one.expires).sort();
      Object.assign(facts, { model: statement.model, batch: statement.batch, statement: statement.id });
      Object.assign(facts, { support_end: content.support_ends[statement.model], label_end: labels[0] || "" });
      if (unit.state) applying.add(unit.state);
      if (facts.support_end < today) applying.add("support-ended");
      if (labels.length && labels[0] < today) applying.add("label-expired");
    }
    const order = results.order.filter(name => applying.has(name));
    return { serial, facts, results: order.length ? order : ["in-order"] };
  }

  function words(name, facts) {
    return results.words[name][1].replace(/\{(\w+)\}/g, (_, fact) => facts[fact]);
  }

  function element(name, text, kind) {
    const made = document.createElement(name);
    made.textContent = text;
    if (kind) made.className = kind;
    return made;
  }

  function show(answers) {
    const wrong = answers.filter(one => one.results[0] !== "in-order");
    const good = answers.length - wrong.length;
    summary.className = "summary " + (wrong.length ? "no" : "yes");
    const units = answers.length === 1 ? "1 unit" : `${answers.length} units`;
    const text = wrong.length ? `Not in order: ${wrong.length} of ${units}.` : `In order: ${units}.`;
    summary.replaceChildren(element("strong", text), element("span", ` ${wrong.length ? good + " in order. " : ""}Checked with the kit of ${content.issued}.`));
    const ordered = [...wrong, ...answers.filter(one => one.results[0] === "in-order")];
    found.replaceChildren(...ordered.slice(0, MOST_SHOWN).map(item));
    if (ordered.length > MOST_SHOWN) found.append(element("li", `${ordered.length - MOST_SHOWN} more are not shown here.`));
    print.hidden = false;
    summary.focus();
  }

  function item(one) {
    const made = element("li", "", one.results[0] === "in-order" ? "yes" : "no");
    const heading = element("h3", `${one.serial}: `);
    heading.append(element("span", results.words[one.results[0]][0], "result"));
    made.append(heading, ...one.results.map(name => element("p", words(name, one.facts))));
    return made;
  }

  function refuse(text) {
    summary.className = "summary no";
    summary.replaceChildren(element("strong", text));
    found.replaceChildren();
    print.hidden = true;
    summary.focus();
  }

  form.addEventListener("submit", async event => {
    event.preventDefault();
    try {
      const chosen = file.files[0];
      if (chosen && typed.value.trim()) throw new ListError("Type serial numbers or choose a file, not both.");
      if (chosen && chosen.size > lists.bytes) throw new ListError("The file is too long.");
      show(check(readList(chosen ? await chosen.text() : typed.value), new Date().toISOString().slice(0, 10)));
    } catch (error) {
      refuse(error instanceof ListError ? error.message : "The list cannot be read.");
    }
  });
  print.addEventListener("click", () => window.print());
})();
