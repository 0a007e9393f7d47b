// Builds elements from text.  Whatever callers and banks send reaches the page through text nodes alone.

export function h(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name, value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  append(element, children);
  return element;
}

export function append(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

export function fill(element, ...children) {
  element.replaceChildren();
  append(element, children);
}

// Control characters, and those that turn or hide text, are spelled out.
const HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;

export function visible(text) {
  const fragment = document.createDocumentFragment();
  let from = 0;
  for (const match of text.matchAll(HIDDEN)) {
    fragment.append(text.slice(from, match.index), h("span", { class: "ctl" }, escape(match[0])));
    from = match.index + match[0].length;
  }
  fragment.append(text.slice(from));
  return fragment;
}

function escape(character) {
  const code = character.codePointAt(0);
  if (character === "\r") return "\\r";
  return code < 256 ? "\\x" + code.toString(16).padStart(2, "0") : "\\u" + code.toString(16).padStart(4, "0");
}

export function plain(text) {
  return text.replace(HIDDEN, escape);
}

const MASK = /(\*\*\* \(#[0-9a-f]{6}\))/;

export function masked(text) {
  return text.split(MASK).map((part) => (MASK.test(part) ? h("span", { class: "mask", title: "A secret. Equal tags are equal secrets." }, part) : visible(part)));
}

// Every byte with a mark: spaces as dots, line feeds as a sign; what is copied stays as it is.
export function everyByte(text) {
  const lines = text.split("\n");
  return lines.map((line, number) => {
    const last = number === lines.length - 1;
    return h("div", { class: "byteline" },
      h("span", { class: "number", "aria-hidden": "true" }, number + 1),
      h("span", { class: "bytes" }, spaced(line),
        h("span", { class: last ? "mark end" : "mark", "aria-hidden": "true" }, last ? "end, no LF" : "LF")));
  });
}

function spaced(line) {
  return line.split(/( +|\t+)/).map((part) => {
    if (!/^[ \t]+$/.test(part)) return visible(part);
    return [...part].map((one) => h("span", { class: one === " " ? "sp" : "tab" }, one));
  });
}

export function bytesOf(body) {
  if (body.encoding === "base64") return Uint8Array.from(atob(body.text), (one) => one.charCodeAt(0));
  return new TextEncoder().encode(body.text);
}

export function hexDump(bytes) {
  const rows = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const row = bytes.slice(at, at + 16);
    const hex = [...row].map((one) => one.toString(16).padStart(2, "0"));
    rows.push(at.toString(16).padStart(6, "0") + "  " + hex.slice(0, 8).join(" ").padEnd(24) + hex.slice(8).join(" ").padEnd(24) +
      [...row].map((one) => (one >= 32 && one < 127 ? String.fromCharCode(one) : ".")).join(""));
  }
  return rows.join("\n");
}

export function size(bytes) {
  if (bytes < 1000) return bytes + " B";
  if (bytes < 1e6) return (bytes / 1e3).toFixed(1) + " kB";
  return (bytes / 1e6).toFixed(1) + " MB";
}

export function millis(value) {
  if (!value) return "–";
  if (value < 10) return value.toFixed(1) + " ms";
  return value < 10000 ? Math.round(value) + " ms" : (value / 1000).toFixed(1) + " s";
}

export function clock(at) {
  const when = new Date(at);
  return [when.getHours(), when.getMinutes(), when.getSeconds()].map((one) => String(one).padStart(2, "0")).join(":");
}

export async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    toast(what + " copied");
  } catch {
    toast("The browser did not allow copying. Select the text and copy it.");
  }
}

export function save(name, type, text) {
  const address = URL.createObjectURL(new Blob([text], { type }));
  h("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

let fading;
export function toast(text) {
  const box = document.getElementById("toast");
  box.textContent = text;
  box.hidden = false;
  clearTimeout(fading);
  fading = setTimeout(() => { box.hidden = true; }, 3500);
}

export function say(text) {
  document.getElementById("say").textContent = text;
}
