// The list of exchanges: newest first, filtered, and moved through by keyboard.

import { clock, fill, h, millis, plain, visible } from "./dom.js";

export const VERDICTS = {
  accepted: ["\u2713", "accepted by the bank"],
  refused: ["\u2715", "refused by the bank"],
  stopped: ["\u25a0", "stopped by the proxy, nothing was sent"],
  uncertain: ["?", "sent, and nobody knows whether the bank has acted"],
  failed: ["!", "failed on the way"],
  left: ["\u2190", "the caller left"],
  unsigned: ["\u25cb", "not signed, another host"],
};

const FILTERS = [
  ["all", "All", () => true],
  ["failing", "Failing", (one) => !["accepted", "unsigned"].includes(one.verdict)],
  ["refused", "Refused by the bank", (one) => one.verdict === "refused"],
  ["stopped", "Stopped here", (one) => one.verdict === "stopped"],
  ["replays", "Replays", (one) => one.replay_of !== null],
];
const SHOWN = 500;

export class List {
  constructor(rows, filters, search, empty, open) {
    this.calls = [];
    this.selected = null;
    this.most = SHOWN;
    this.filter = "all";
    this.elements = new Map();
    Object.assign(this, { rows, filters, search, empty, open });
    search.addEventListener("input", () => this.render());
    search.form.addEventListener("submit", (event) => event.preventDefault());
    rows.addEventListener("keydown", (event) => this.key(event));
    rows.addEventListener("click", (event) => {
      const row = event.target.closest("[data-id]");
      if (row) this.select(Number(row.dataset.id), true);
    });
    this.renderFilters();
  }

  reset(calls, most) {
    this.calls = calls;
    this.most = Math.min(most, SHOWN);
    this.elements.clear();
    this.render();
  }

  add(calls) {
    this.calls = [...calls.slice().reverse(), ...this.calls].slice(0, this.most);
    this.render();
  }

  found() {
    const words = this.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const [, , fits] = FILTERS.find(([name]) => name === this.filter);
    return this.calls.filter((one) => {
      if (!fits(one)) return false;
      const text = [one.method, one.path, one.route, one.status, one.code, one.cause, one.verdict, one.request_id, one.outcome].join(" ").toLowerCase();
      return words.every((word) => text.includes(word));
    });
  }

  render() {
    const found = this.found();
    const before = new Set(this.elements.keys());
    fill(this.rows, found.map((one) => {
      before.delete(one.id);
      if (!this.elements.has(one.id)) this.elements.set(one.id, row(one));
      return this.elements.get(one.id);
    }));
    for (const gone of before) if (!this.calls.some((one) => one.id === gone)) this.elements.delete(gone);
    this.mark();
    this.empty.hidden = found.length > 0;
    if (!found.length) this.renderEmpty();
    for (const button of this.filters.children) {
      const [, label, fits] = FILTERS.find(([name]) => name === button.value);
      const count = this.calls.filter(fits).length;
      fill(button, label, h("span", { class: "count" }, count));
      button.setAttribute("aria-pressed", String(button.value === this.filter));
    }
  }

  renderEmpty() {
    if (this.calls.length) {
      fill(this.empty, h("p", {}, "Nothing here fits the search."));
      return;
    }
    const address = this.address || "http://127.0.0.1:8080";
    fill(this.empty, h("h2", {}, "Waiting for the first call"),
      h("p", {}, "Send a request to the proxy, and it appears here with what the bank got:"),
      h("pre", { class: "block" }, `curl -H 'Authorization: Bearer demo' \\\n  ${address}/personal/v5/accounts`));
  }

  renderFilters() {
    fill(this.filters, FILTERS.map(([name]) => h("button", {
      type: "button", value: name, click: () => { this.filter = name; this.render(); },
    })));
  }

  select(id, focus) {
    this.selected = id;
    this.mark();
    this.open(id, focus);
  }

  mark() {
    for (const [id, element] of this.elements) element.setAttribute("aria-selected", String(id === this.selected));
    const element = this.elements.get(this.selected);
    if (element && element.isConnected) this.rows.setAttribute("aria-activedescendant", element.id);
    else this.rows.removeAttribute("aria-activedescendant");
  }

  move(by) {
    const found = this.found();
    if (!found.length) return;
    const at = found.findIndex((one) => one.id === this.selected);
    const next = found[Math.max(0, Math.min(found.length - 1, at < 0 ? 0 : at + by))];
    this.select(next.id, false);
    this.elements.get(next.id).scrollIntoView({ block: "nearest" });
  }

  key(event) {
    const steps = { ArrowDown: 1, ArrowUp: -1, Home: -Infinity, End: Infinity, PageDown: 10, PageUp: -10 };
    if (event.key in steps) {
      event.preventDefault();
      this.move(steps[event.key]);
    } else if (event.key === "Enter" && this.selected !== null) {
      event.preventDefault();
      this.open(this.selected, true);
    }
  }
}

function row(one) {
  const [sign, words] = VERDICTS[one.verdict];
  const code = [one.code || (one.verdict === "left" ? "the caller left" : ""), one.cause].filter(Boolean).join(" \u2190 ");
  return h("li", {
    id: "call-" + one.id, role: "option", class: "row " + one.verdict, "data-id": one.id, "aria-selected": "false",
    "aria-label": `${one.method} ${plain(one.path)}, ${one.status || "no answer"}, ${words}${code ? ", " + plain(code) : ""}, ${millis(one.total_ms)}`,
  },
  h("span", { class: "verdict", title: words, "aria-hidden": "true" }, sign),
  h("span", { class: "method" }, visible(one.method)),
  h("span", { class: "what" },
    h("span", { class: "path" }, visible(one.path || "(no path)")),
    h("span", { class: "under" }, h("time", { datetime: one.at }, clock(one.at)), " · ",
      one.route === "none" ? "no route" : visible(one.route),
      one.replay_of !== null && h("span", { class: "tag" }, "replay of " + one.replay_of),
      code && h("span", { class: "code", title: plain(code) }, visible(code)))),
  h("span", { class: "status" }, one.status || "–"),
  h("span", { class: "took" }, millis(one.total_ms)));
}
