// What asks or shows before something happens: the support bundle, a replay, the keys.

import * as api from "./api.js";
import { attempt } from "./detail.js";
import { copy, fill, h, plain, save, toast, visible } from "./dom.js";

export function dialog(title, content, buttons, kind = "") {
  const box = h("dialog", { class: kind, "aria-labelledby": "dialog-title" });
  const close = h("button", { type: "button", class: "close", "aria-label": "Close", click: () => box.close() }, "\u00d7");
  fill(box, h("div", { class: "dialog-head" }, h("h2", { id: "dialog-title" }, title), close), h("div", { class: "dialog-body" }, content),
    buttons.length > 0 && h("div", { class: "dialog-foot" }, buttons));
  box.addEventListener("close", () => box.remove());
  box.addEventListener("click", (event) => { if (event.target === box) box.close(); });
  document.body.append(box);
  box.showModal();
  return box;
}

export async function bundleDialog(call) {
  const text = await api.text("bundle?id=" + call.id);
  dialog("Support bundle for #" + call.id, [
    h("p", {}, "What the bank's contact form asks for. Secrets and what may name a person are masked; read it before you send it."),
    h("pre", { class: "block", tabindex: "0", id: "bundle", "aria-label": "Support bundle" }, visible(text)),
  ], [
    h("button", { type: "button", click: () => copy(text, "The bundle") }, "Copy"),
    h("button", { type: "button", class: "main", click: () => save(`support-bundle-${call.id}.txt`, "text/plain", text) }, "Save"),
  ], "wide");
}

const SAFE = ["GET", "HEAD"];

export function replayDialog(call) {
  const safe = SAFE.includes(call.method);
  const hidden = call.asked_headers.filter(([name, value, fate]) => value.includes("*** (#") && fate !== "removed" && !/^(proxy-|x-ibm-)/i.test(name));
  const fields = hidden.map(([name]) => h("input", { type: "password", name, autocomplete: "off", "aria-label": name }));
  const sure = h("input", { type: "checkbox", id: "sure" });
  const go = h("button", { type: "button", class: safe ? "main" : "danger", disabled: !safe }, safe ? "Send again" : `Send this ${plain(call.method)} again`);
  sure.addEventListener("change", () => { go.disabled = !sure.checked; });
  const box = dialog("Replay #" + call.id, [
    h("p", { class: "first mono" }, visible(`${call.method} ${call.asked_target}`)),
    h("p", {}, "It goes through the proxy like any call: allowed, signed anew with the date of now, and shown in the list as a replay."),
    !safe && h("div", { class: "warning" },
      h("p", {}, h("b", {}, "The bank may act twice. "), `A ${call.method} that is sent again may pay, create or change something a second time. Look first at what #${call.id} did (sent: ${call.sent}).`),
      h("label", { class: "check" }, sure, " I know, and want it sent again")),
    hidden.length > 0 && h("form", { class: "fields", submit: (event) => { event.preventDefault(); go.click(); } }, h("p", {}, "These were masked and are not kept. Give them again, or leave them empty to send the request without them:"),
      fields.map((field) => h("label", { class: "field" }, h("span", {}, field.name), field))),
  ], [h("button", { type: "button", click: () => box.close() }, "Cancel"), go]);
  go.addEventListener("click", attempt(async () => {
    const headers = {};
    for (const [place, field] of fields.entries()) {
      const scheme = /^(\w+) \*\*\* /.exec(hidden[place][1]);
      if (field.value) headers[field.name] = scheme && !/\s/.test(field.value.trim()) ? `${scheme[1]} ${field.value.trim()}` : field.value;
    }
    await api.post("replay", { id: call.id, again: safe ? "" : call.method, headers });
    box.close();
    toast("Sent again; it appears in the list when it is over");
  }));
  (fields[0] || (safe ? go : sure)).focus();
}

const KEYS = [
  ["/", "search"], ["\u2191 \u2193, j k", "previous, next exchange"], ["Enter", "go to the exchange"], ["Esc", "back to the list"],
  ["c", "copy as curl, unsigned, through the proxy"], ["C", "copy as curl, signed, to the bank"], ["s", "copy the signing string"],
  ["r", "replay"], ["d", "compare"], ["b", "support bundle"], ["h", "download HAR"], ["p", "pause"],
];

export function helpDialog() {
  dialog("Keys", [
    h("dl", { class: "facts" }, KEYS.map(([key, what]) => h("div", {}, h("dt", {}, h("kbd", {}, key)), h("dd", {}, what)))),
    h("p", { class: "faint" }, "Secrets are masked before an exchange is kept: headers that are not known to be harmless, tokens, codes and passwords. *** (#1a2b3c) is one; equal tags are equal secrets. inspect_headers in the configuration shows further headers."),
  ], []);
}
