// A body: as it is, formatted, or in hex; long ones in parts, so that none holds up the page.

import { bytesOf, copy, fill, h, hexDump, masked, size, visible } from "./dom.js";

const PART = 20000;

export function bodyView(body, first, headers) {
  if (!body.bytes) return h("p", { class: "nobody" }, "no body");
  const type = (headers.find(([name]) => name.toLowerCase() === "content-type") || ["", ""])[1];
  const box = h("div", { class: "body" });
  const pretty = formatted(body, type);
  const ways = [["raw", "As sent"], pretty !== null && ["pretty", "Formatted"], ["hex", "Hex"]].filter(Boolean);
  let way = body.encoding === "base64" ? "hex" : first === "pretty" && pretty !== null ? "pretty" : "raw";
  const show = () => {
    const text = way === "hex" ? hexDump(bytesOf(body)) : way === "pretty" ? pretty : body.text;
    fill(box,
      h("div", { class: "body-head" },
        h("span", {}, size(body.bytes), body.note && h("span", { class: "faint" }, ", ", visible(body.note))),
        h("span", { class: "switch", role: "group", "aria-label": "Show the body" }, ways.map(([name, label]) =>
          h("button", { type: "button", "aria-pressed": String(name === way), click: () => { way = name; show(); } }, label)),
        h("button", { type: "button", click: () => copy(way === "hex" ? text : body.text, "The body") }, "Copy"))),
      body.text ? block(text) : null);
  };
  show();
  return box;
}

function block(text) {
  const box = h("pre", { class: "block", tabindex: "0", "aria-label": "Body" });
  let shown = 0;
  const more = () => {
    const part = text.slice(shown, shown + PART);
    shown += part.length;
    const next = h("button", { type: "button", class: "more" }, `Show ${size(Math.min(PART, text.length - shown))} more`);
    next.addEventListener("click", () => { next.remove(); more(); });
    box.append(...[masked(part)].flat(), ...(shown < text.length ? [next] : []));
  };
  more();
  return box;
}

function formatted(body, type) {
  if (body.encoding === "base64") return null;
  if (/json/i.test(type) || /^\s*[{[]/.test(body.text)) {
    try {
      return indent(body.text);
    } catch {
      return null;
    }
  }
  if (/x-www-form-urlencoded/i.test(type)) return body.text.split("&").join("\n&");
  return null;
}

// Only white space changes: numbers, order and duplicate names stay what they are, which JSON.parse would not keep.
function indent(text) {
  JSON.parse(text);
  let out = "", depth = 0;
  const line = () => "\n" + "  ".repeat(depth);
  for (const [one] of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\]:,]|[^\s{}[\]:,"]+/g)) {
    if (one === "{" || one === "[") { depth += 1; out += one + line(); }
    else if (one === "}" || one === "]") { depth -= 1; out += line() + one; }
    else if (one === ",") out += "," + line();
    else out += one === ":" ? ": " : one;
  }
  return out.replace(/\{\s+\}/g, "{}").replace(/\[\s+\]/g, "[]");
}
