// One exchange: why the bank said no, what came in beside what went out, and how it was signed.

import * as api from "./api.js";
import { bodyView } from "./body.js";
import { compareDialog } from "./compare.js";
import { bundleDialog, replayDialog } from "./dialogs.js";
import { copy, fill, h, masked, millis, plain, save, size, toast, visible } from "./dom.js";
import { VERDICTS } from "./list.js";
import { sealView } from "./seal.js";

export class Detail {
  constructor(root, list) {
    Object.assign(this, { root, list, call: null, wanted: 0 });
    this.nothing();
  }

  nothing() {
    this.call = null;
    document.body.classList.remove("opened");
    fill(this.root, h("div", { class: "placeholder" },
      h("p", {}, "Choose an exchange to see what came in beside what went out."),
      h("p", { class: "faint" }, h("kbd", {}, "\u2191"), " ", h("kbd", {}, "\u2193"), " move, ", h("kbd", {}, "/"), " search, ", h("kbd", {}, "?"), " all keys")));
  }

  async open(id, focus) {
    const wanted = ++this.wanted;
    let call;
    try {
      call = await api.json("exchange?id=" + id);
    } catch (error) {
      if (error instanceof api.Unauthenticated) throw error;
      if (wanted === this.wanted) fill(this.root, h("div", { class: "placeholder" }, h("p", {}, error.message)));
      return;
    }
    if (wanted !== this.wanted) return;
    this.call = call;
    this.render();
    this.root.scrollTop = 0;
    document.body.classList.add("opened");
    if (focus) this.root.focus({ preventScroll: false });
  }

  render() {
    const call = this.call;
    const [sign, words] = VERDICTS[call.verdict];
    fill(this.root,
      h("div", { class: "headline " + call.verdict },
        h("button", { type: "button", class: "back", click: () => this.nothing() }, "\u2190 All exchanges"),
        h("h2", {}, h("span", { class: "method" }, visible(call.method)), " ", h("span", { class: "url" }, visible(call.sent_target || call.asked_url || call.path))),
        h("p", { class: "sub" },
          h("span", { class: "badge " + call.verdict }, sign, " ", call.status ? `${call.status} ${plain(call.answer_reason)}` : "no answer"),
          h("span", {}, words), h("span", {}, millis(call.total_ms)),
          call.sent_host && h("span", {}, "to ", visible(call.sent_host)),
          call.replay_of && h("span", { class: "tag" }, "replay of ", call.replay_of),
          h("span", { class: "faint" }, "#" + call.id))),
      this.actions(), reason(call), timings(call), this.request(), sealView(call), answer(call), facts(call));
  }

  actions() {
    const call = this.call;
    const curl = (signed) => async () => copy(await api.text(`curl?id=${call.id}${signed ? "&signed=1" : ""}`), signed ? "The signed curl command" : "The curl command");
    const button = (name, does, key, enabled = true, title = "") => h("button", {
      type: "button", click: attempt(does), "data-key": key, disabled: !enabled, title: title || (key ? `Key: ${key}` : null),
    }, name);
    const signed = Boolean(call.signing_string);
    return h("div", { class: "actions", role: "toolbar", "aria-label": "Actions" },
      button("Copy as curl", curl(false), "c", Boolean(call.asked_headers.length)),
      button("Copy signed curl", curl(true), "C", Boolean(call.sent_host)),
      button("Copy signing string", () => copy(call.signing_string, "The signing string"), "s", signed),
      button("Replay \u2026", () => replayDialog(call), "r", call.replayable, call.why_not_replayable),
      button("Compare \u2026", () => compareDialog(call, this.list.calls), "d", signed),
      button("Support bundle \u2026", () => bundleDialog(call), "b"),
      button("HAR", async () => save(`exchange-${call.id}.har`, "application/json", await api.text("har?id=" + call.id)), "h"),
      button("Save as JSON", async () => save(`exchange-${call.id}.json`, "application/json", await api.text("exchange?id=" + call.id))));
  }

  press(key) {
    const button = this.root.querySelector(`.actions [data-key="${key}"]`);
    if (button && !button.disabled) button.click();
    return Boolean(button);
  }

  request() {
    const call = this.call;
    return h("section", { class: "block-of", "aria-label": "Request" },
      h("h3", {}, "Request"),
      h("div", { class: "beside" },
        message("What came in", `${call.method} ${call.asked_url || call.path}`, call.asked_headers, call.asked_body, null, "asked"),
        call.sent_host
          ? message("What went out", `${call.method} ${call.sent_target}`, call.sent_headers, call.sent_body, "https://" + call.sent_host, "sent")
          : h("div", { class: "side" }, h("h4", {}, "What went out"), h("p", { class: "nothing" }, call.form === "connect" ? "A tunnel: its bytes pass through, unread and unsigned." : "Nothing. The request was not signed and not sent."))));
  }
}

export function attempt(does) {
  return async (event) => {
    try {
      await does(event);
    } catch (error) {
      toast(error instanceof api.Unauthenticated ? "The token does not count any more. Reload the page with a new one." : error.message);
    }
  };
}

const MARKS = {
  passed: ["", ""], replaced: ["replaced", "the proxy wrote its own"], removed: ["removed", "stays here"],
  caller: ["", ""], added: ["+ added", "by the proxy"], "": ["", ""],
};

function message(title, line, headers, body, place, kind) {
  const marks = kind === "sent" ? { ...MARKS, replaced: ["\u21c4 replaced", "in place of the caller's"] } : MARKS;
  return h("div", { class: "side " + kind },
    h("h4", {}, title, place && h("span", { class: "faint" }, " ", visible(place))),
    h("p", { class: "first mono" }, visible(line)),
    headers.length > 0 && headerTable(headers, marks),
    bodyView(body, "raw", headers));
}

const LONG = 170;

function long(value) {
  const box = h("span", {});
  const show = (all) => {
    const button = h("button", { type: "button", class: "small", "aria-expanded": String(all), click: () => show(!all) }, all ? "less" : "all");
    fill(box, masked(all ? value : value.slice(0, LONG - 50) + " \u2026"), button);
  };
  show(false);
  return box;
}

export function headerTable(headers, marks = MARKS) {
  return h("table", { class: "headers" },
    h("caption", { class: "unseen" }, "Headers"),
    h("tbody", {}, headers.map(([name, value, mark]) => {
      const [label, why] = marks[mark || ""] || ["", ""];
      return h("tr", { class: mark ? "is-" + mark : null },
        h("th", { scope: "row" }, visible(name)),
        h("td", {}, value.length > LONG ? long(value) : masked(value), label && h("span", { class: "note", title: why }, label)));
    })));
}

function reason(call) {
  if (call.diagnosis) return diagnosis(call.diagnosis, call);
  if (call.refused_by === "proxy") {
    const title = call.sent === "maybe" ? "The bank may have acted: nobody knows" : "The proxy stopped this request";
    return h("section", { class: "why", "aria-label": "Why" },
      h("h3", {}, title), h("p", {}, h("code", {}, visible(call.code)), call.detail && [": ", visible(call.detail)]),
      call.hint && h("p", { class: "fix" }, h("b", {}, "What to do"), " ", call.hint));
  }
  if (call.refused_by === "bank" && call.code) {
    return h("section", { class: "why", "aria-label": "Why" }, h("h3", {}, "The bank refused it"), h("p", {}, h("code", {}, visible(call.code))));
  }
  return null;
}

function diagnosis(found, call) {
  const [first, ...others] = found.causes;
  return h("section", { class: "why", "aria-label": "Diagnosis" },
    h("h3", {}, first.what),
    first.evidence.length > 0 && h("ul", { class: "evidence" }, first.evidence.map((one) => h("li", {}, visible(one)))),
    found.scope && h("p", { class: "scope" }, visible(found.scope)),
    h("p", { class: "fix" }, h("b", {}, "What to do"), " ", visible(first.todo)),
    h("p", { class: "faint" }, h("span", { class: "badge" }, first.certainty), " whose side: ", h("b", {}, first.side), " · ", h("code", {}, first.cause), call.code && [" · the bank says ", h("code", {}, visible(call.code))]),
    others.length > 0 && h("details", {}, h("summary", {}, `Other causes (${others.length})`),
      h("ul", {}, others.map((one) => h("li", {}, h("b", {}, one.what), " ", visible(one.evidence.join(" ")), " ", visible(one.todo))))));
}

const STEPS = [
  ["queue", "waiting for a connection", (call) => Math.max(0, call.queue_ms - call.connect_ms)],
  ["connect", "connecting, TLS", (call) => call.connect_ms], ["sign", "operation with the key", (call) => call.sign_ms],
  ["first byte", "until the bank's answer began", (call) => call.first_byte_ms],
  ["rest", "until the answer was complete", (call) => Math.max(0, call.total_ms - call.queue_ms - call.sign_ms - call.first_byte_ms)],
];

function timings(call) {
  if (!call.attempts) return null;
  const sum = STEPS.reduce((all, [, , of]) => all + of(call), 0) || 1;
  const bar = h("div", { class: "bar", "aria-hidden": "true" }, STEPS.map(([name, , of]) => {
    const part = h("span", { class: "step-" + name.replace(" ", "-") });
    part.style.flexGrow = String(of(call) / sum);
    return part;
  }));
  return h("section", { class: "timings", "aria-label": "Times" }, bar,
    h("dl", {}, STEPS.map(([name, what, of]) => h("div", { class: "step-" + name.replace(" ", "-"), title: what }, h("dt", {}, name), h("dd", {}, millis(of(call))))),
      h("div", { class: "total" }, h("dt", {}, "total"), h("dd", {}, millis(call.total_ms)))));
}

function answer(call) {
  if (!call.answer_headers.length) return null;
  return h("section", { class: "block-of", "aria-label": "Answer" },
    h("h3", {}, "Answer ", h("span", { class: "badge " + call.verdict }, `${call.status} ${plain(call.answer_reason)}`)),
    call.rate_limits.length > 0 && h("ul", { class: "limits", "aria-label": "Rate limits" }, call.rate_limits.map((one) =>
      h("li", {}, h("span", {}, visible(one.name)), h("b", {}, `${one.remaining ?? "?"} of ${one.limit ?? "?"}`), meter(one)))),
    headerTable(call.answer_headers), bodyView(call.answer_body, "pretty", call.answer_headers));
}

function meter(one) {
  if (!one.limit || one.remaining === null) return null;
  return h("meter", { min: 0, max: one.limit, low: one.limit * 0.1, value: one.remaining, "aria-label": "left of " + plain(one.name) });
}

function facts(call) {
  const rows = [
    ["route", call.route], ["application", call.application], ["caller", call.client_name || call.client], ["listener", call.listener],
    ["asked as", { "": "reverse proxy", absolute: "HTTP_PROXY", connect: "HTTPS_PROXY", replay: "replay" }[call.form]],
    ["destination", call.destination], ["sent", call.sent], ["signed", call.attempts ? `${call.attempts} time${call.attempts > 1 ? "s" : ""}` : ""],
    ["request id", call.request_id], ["message_identification", call.bank_message_id], ["X-Global-Transaction-ID", call.bank_id],
    ["our clock", call.clock_ahead_s === null ? "" : `${call.clock_ahead_s} s ahead of the answer's Date`],
    ["notes", call.notes.join(", ")], ["bytes", `${size(call.request_bytes)} in the request, ${size(call.response_bytes)} in the answer`],
    ["masked", call.masked.join(", ")],
  ];
  return h("section", { class: "block-of", "aria-label": "Facts" }, h("h3", {}, "Facts"),
    h("dl", { class: "facts" }, rows.filter(([, value]) => value).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, visible(String(value)))))));
}
