// The signature: the string that was signed with every byte visible, the digest and the key.

import { copy, everyByte, h, hexDump, visible } from "./dom.js";

export function sealView(call) {
  if (!call.signing_string) return null;
  const bytes = new TextEncoder().encode(call.signing_string);
  return h("section", { class: "block-of", "aria-label": "Signature" },
    h("h3", {}, "Signature"),
    h("h4", {}, "Signing string ", h("span", { class: "faint" }, `${bytes.length} bytes, ${call.covered.length} lines joined by LF, none at the end`),
      h("button", { type: "button", class: "small", click: () => copy(call.signing_string, "The signing string") }, "Copy")),
    call.signing_string_masked && h("p", { class: "warning" }, "A secret in the URL is masked here, so these are not exactly the bytes that were signed."),
    h("div", { class: "block string", tabindex: "0", role: "group", "aria-label": "Signing string" }, everyByte(call.signing_string)),
    h("details", {}, h("summary", {}, "The same in hex"), h("pre", { class: "block" }, hexDump(bytes))),
    digest(call), seal(call), key(call));
}

function digest(call) {
  if (!call.digest) {
    return h("p", {}, h("b", {}, "Digest"), " none: a ", visible(call.method), " without a body covers neither Digest nor Content-Type.");
  }
  const how = call.digest_over === "form"
    ? "base64 of SHA-256 over the form's fields, sorted by name and decoded, because the bank wants it so"
    : `base64 of SHA-256 over the ${call.sent_body.bytes} bytes of the body, exactly as they were sent`;
  return h("div", {}, h("h4", {}, "Digest"), h("p", { class: "mono" }, visible(call.digest)), h("p", { class: "faint" }, how),
    call.digest_input && h("pre", { class: "block" }, visible(call.digest_input)));
}

function seal(call) {
  const header = call.sent_headers.find(([name]) => name.toLowerCase() === "signature");
  if (!header) return null;
  const parts = [...header[1].matchAll(/([a-zA-Z]+)="([^"]*)"/g)];
  if (!parts.length) return h("p", { class: "mono" }, visible(header[1]));
  return h("div", {}, h("h4", {}, "Signature header"),
    h("dl", { class: "facts" }, parts.map(([, name, value]) => h("div", {}, h("dt", {}, name), h("dd", { class: "mono" }, visible(value))))));
}

function key(call) {
  if (!call.key_spki_sha256) return null;
  const rows = [["key", `RSA-${call.key_bits}, SHA-256 of its public key ${call.key_spki_sha256}`]];
  const facts = call.certificate;
  if (facts) {
    rows.push(["certificate", facts.subject], ["issued by", facts.issuer], ["serial", facts.serial], ["valid until", until(facts.not_after)],
      ["roles", facts.roles.join(", ")], ["SHA-256", facts.sha256]);
  }
  return h("div", {}, h("h4", {}, "Key and certificate"),
    h("dl", { class: "facts" }, rows.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, visible(String(value)))))));
}

export function until(notAfter) {
  const days = Math.floor((new Date(notAfter) - Date.now()) / 86400000);
  return `${notAfter.slice(0, 10)} (${days < 0 ? "expired" : `${days} days left`})`;
}
