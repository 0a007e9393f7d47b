// Two exchanges side by side, or one and what somebody's own script has made: where they part, and what that means.

import * as api from "./api.js";
import { dialog } from "./dialogs.js";
import { fill, h, plain, visible } from "./dom.js";
import { readOwn } from "./own.js";

export function compareDialog(call, calls) {
  const result = h("div", { class: "compared", "aria-live": "polite" });
  const others = calls.filter((one) => one.id !== call.id);
  const choice = h("select", { "aria-label": "The other exchange" }, h("option", { value: "" }, "choose \u2026"),
    others.map((one) => h("option", { value: one.id }, plain(`#${one.id}  ${one.method} ${one.path}  ${one.status} ${one.code}`).slice(0, 110))));
  choice.addEventListener("change", async () => {
    if (!choice.value) return;
    own.value = "";
    try {
      show(result, ofExchange(call), ofExchange(await api.json("exchange?id=" + choice.value)), "#" + call.id, "#" + choice.value);
    } catch (error) {
      fill(result, h("p", {}, error.message));
    }
  });
  const own = h("textarea", {
    rows: 5, spellcheck: "false", "aria-label": "What your own script has made",
    placeholder: "Your script's signing string, its Signature header, or a whole curl command or HTTP request",
  });
  own.addEventListener("input", () => {
    choice.value = "";
    if (own.value.trim()) show(result, ofExchange(call), readOwn(own.value), "#" + call.id, "your script");
    else fill(result);
  });
  dialog("Compare with #" + call.id, [
    h("label", { class: "field" }, h("span", {}, "Another exchange"), choice),
    h("label", { class: "field" }, h("span", {}, "Or paste your own ", h("span", { class: "faint" }, "(it stays in this page)")), own),
    result], [], "wide");
}

export function ofExchange(call) {
  const header = (wanted) => (call.sent_headers.find(([name]) => name.toLowerCase() === wanted) || ["", ""])[1];
  const parts = Object.fromEntries([...header("signature").matchAll(/([a-zA-Z]+)="([^"]*)"/g)].map(([, name, value]) => [name, value]));
  return {
    method: call.method, target: call.sent_target, host: header("x-nordea-originating-host"), date: header("x-nordea-originating-date"),
    contentType: header("content-type"), digest: header("digest"), keyId: parts.keyId || "", algorithm: parts.algorithm || "",
    covered: parts.headers || "", signature: parts.signature || "", string: call.signing_string, key: call.key_spki_sha256,
    status: call.status ? `${call.status} ${call.code}`.trim() : "", body: call.sent_body, headers: call.sent_headers, problems: [],
  };
}

const ROWS = [
  ["status", "answer"], ["method", "method"], ["target", "request target"], ["host", "originating host"], ["date", "originating date"],
  ["contentType", "content-type"], ["digest", "digest"], ["keyId", "keyId"], ["algorithm", "algorithm"], ["covered", "headers"],
  ["signature", "signature"], ["key", "key (SHA-256)"],
];

function show(box, one, other, left, right) {
  const found = [...other.problems, ...meaning(one, other)];
  const rows = ROWS.filter(([name]) => one[name] || other[name]).map(([name, label]) => {
    const known = Boolean(other[name]) && Boolean(one[name]);
    const same = known && one[name] === other[name];
    const state = same ? "same" : known ? "differs" : "missing";
    return h("tr", { class: state }, h("th", { scope: "row" }, label), h("td", { class: "mono" }, parted(one[name], other[name], known)),
      h("td", { class: "mono" }, other[name] ? parted(other[name], one[name], known) : h("span", { class: "faint" }, "not given")),
      h("td", { class: "state" }, same ? "same" : known ? "differs" : ""));
  });
  fill(box,
    found.length ? h("ul", { class: "findings" }, found.map((text) => h("li", {}, text))) : h("p", { class: "fix" }, "Nothing was found that the bank would mind."),
    h("div", { class: "scroll" }, h("table", { class: "compare" },
      h("thead", {}, h("tr", {}, h("th", {}, ""), h("th", { scope: "col" }, left), h("th", { scope: "col" }, right), h("th", {}, ""))), h("tbody", {}, rows))),
    strings(one, other, left, right));
}

function strings(one, other, left, right) {
  if (!one.string || !other.string) return null;
  const [ours, theirs] = [one.string.split("\n"), other.string.split("\n")];
  const lines = Array.from({ length: Math.max(ours.length, theirs.length) }, (_, at) => {
    const same = ours[at] === theirs[at];
    return h("div", { class: "pair " + (same ? "same" : "differs") },
      [ours, theirs].map((all, side) => h("code", {}, all[at] === undefined ? h("span", { class: "faint" }, "no such line")
        : [parted(all[at], (side ? ours : theirs)[at] ?? "", true), h("span", { class: "mark" }, at < all.length - 1 ? "LF" : "end")])));
  });
  return h("div", {}, h("h4", {}, "Signing strings, line by line ", h("span", { class: "faint" }, `${left} above, ${right} below`)), h("div", { class: "block pairs" }, lines));
}

// From the first character on that is another one, the text is marked.
function parted(text, other, known) {
  if (!known || text === other) return visible(text || "");
  let at = 0;
  while (at < text.length && text[at] === other[at]) at += 1;
  return [visible(text.slice(0, at)), h("mark", {}, text.slice(at) ? visible(text.slice(at).replace(/ /g, "\u00b7")) : "(ends here)")];
}

// What a difference means; `one` is an exchange whose signature the proxy has made.
function meaning(one, other) {
  const found = [];
  const differ = (name) => one[name] && other[name] && one[name] !== other[name];
  if (differ("covered")) found.push(`The signature covers other headers, or in another order: the working one has "${one.covered}".`);
  if (differ("algorithm")) found.push("The algorithm is another one. The bank takes rsa-sha256 only.");
  if (differ("keyId")) found.push("keyId is another client id. It must be the id of the application whose certificate the bank holds.");
  if (differ("host")) found.push("The host is another one: production and sandbox do not take each other's.");
  if (differ("contentType")) found.push("Content-Type differs. It is signed with its parameters, exactly as it is sent.");
  if (differ("digest") && one.method === other.method) found.push("The digest is of another body. It must be over the bytes that are sent, white space included.");
  if (differ("date")) found.push("The date differs, as it should between two calls; with it the signature.");
  if (one.string && one.string === other.string && differ("signature")) found.push("The same string has another signature. RSASSA-PKCS1-v1_5 always gives the same one, so it was made with another private key.");
  if (one.key && other.key && one.key !== other.key) found.push("They were signed with two different keys.");
  return found;
}
