// Reads what somebody's own script has made, however it was pasted, and says what the bank's FAQ would say of it.

const LINE = /^\(?[A-Za-z][A-Za-z-]*\)?:/;

export function readOwn(pasted) {
  const problems = [];
  let text = pasted.replace(/\r\n/g, "\n");
  if (/\(request-target\)[^\n]*\\n/.test(text)) text = text.replace(/\\n/g, "\n");
  if (/keyId=\\"/.test(text)) {
    problems.push('There are backslashes before the quotes of the Signature header. Send keyId="…" without them, unless they only belong to the quoting of what was pasted.');
    text = text.replace(/\\"/g, '"');
  }
  const string = signingString(text, problems);
  const signed = parameters(text, problems);
  const first = /(?:^|\s)(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS)\s+(\/\S*|https?:\/\/\S+)(?:\s+HTTP|\s*$)/m.exec(text);
  const request = /(?:-X|--request)\s*'?"?([A-Za-z]+)/.exec(text);
  const address = /https?:\/\/[^\s'"\\]+/.exec(text);
  const inString = (name) => (string.split("\n").find((line) => line.toLowerCase().startsWith(name + ":")) || "").slice(name.length + 1).trim();
  const [verb, ...rest] = inString("(request-target)").split(" ");
  const own = {
    method: (request ? request[1] : first ? first[1] : verb || "").toUpperCase(),
    target: rest.join(" ") || targetOf(first ? first[2] : address ? address[0] : ""),
    host: header(text, "x-nordea-originating-host") || inString("x-nordea-originating-host"),
    date: header(text, "x-nordea-originating-date") || inString("x-nordea-originating-date"),
    contentType: header(text, "content-type") || inString("content-type"), digest: header(text, "digest") || inString("digest"),
    keyId: signed.keyId || "", algorithm: signed.algorithm || "", covered: signed.headers || "", signature: signed.signature || "",
    string, key: "", status: "", problems,
  };
  if (!own.covered && string) own.covered = string.split("\n").map((line) => line.slice(0, line.indexOf(":"))).join(" ").toLowerCase();
  ofString(string, own, text, problems);
  ofValues(own, problems);
  return own;
}

// The lines of a signing string stand together; a header of the request has no "(request-target)" above it.
function signingString(text, problems) {
  const lines = text.split("\n");
  const start = lines.findIndex((line) => /^\s*["'`]?\(request-target\)/.test(line));
  if (start < 0) return "";
  const found = [];
  for (const line of lines.slice(start)) {
    const clean = line.replace(/^\s*["'`]?(?=\()/, "").replace(/["'`];?\s*$/, "");
    if (!LINE.test(clean)) break;
    found.push(clean);
  }
  if (start + found.length < lines.length && !lines.slice(start + found.length).join("").replace(/["'`;]/g, "").trim()) {
    problems.push("A line feed follows the last line of what was pasted. If the script signs it too, the signature is wrong: lines are joined by LF, and there is none at the end.");
  }
  return found.join("\n");
}

function parameters(text, problems) {
  const header = /(?:signature["']?\s*[:=]\s*["']?\s*)?((?:Signature\s+)?keyId=".*signature="[^"]*")/i.exec(text);
  if (!header) return {};
  if (/^Signature\s/i.test(header[1])) problems.push('The value begins with "Signature ". That belongs to an Authorization header; here it begins with keyId=.');
  if (/",\s+[a-z]/i.test(header[1])) problems.push("There is white space after a comma of the Signature header. The bank reads it without.");
  return Object.fromEntries([...header[1].matchAll(/([a-zA-Z]+)="([^"]*)"/g)].map(([, name, value]) => [name, value]));
}

function header(text, name) {
  const outside = text.replace(/\(request-target\)[\s\S]*?(?:\n\s*\n|$)/, "");
  const match = new RegExp(`(?:^|['"\\s])${name}["']?\\s*:\\s*["']?([^"'\\n\\\\]+)`, "im").exec(outside);
  return match ? match[1].trim().replace(/,$/, "") : "";
}

function targetOf(address) {
  return address.replace(/^https?:\/\/[^/]+/, "");
}

function ofString(string, own, text, problems) {
  if (!string) return;
  const lines = string.split("\n");
  for (const line of lines) {
    const name = line.slice(0, line.indexOf(":"));
    if (!/^[^:]+: /.test(line)) problems.push(`"${name}:" has no space behind its colon.`);
    if (/^[^:]+: {2,}|\s$/.test(line)) problems.push(`The line "${name}" has more white space than the one space behind its colon.`);
    if (name !== name.toLowerCase()) problems.push(`"${name}" is not in lower case.`);
  }
  if (/^\(request-target\):\s*[A-Z]/.test(string)) problems.push("The method in (request-target) is in upper case. It is lower there: get, post.");
  const names = lines.map((line) => line.slice(0, line.indexOf(":")));
  if (own.covered && own.covered !== names.join(" ")) problems.push(`The lines of the string are "${names.join(" ")}", but headers= says "${own.covered}". Both must be the same, in the same order.`);
  for (const name of ["x-nordea-originating-host", "x-nordea-originating-date", "content-type", "digest"]) {
    const line = lines.find((one) => one.toLowerCase().startsWith(name + ":"));
    const sent = header(text, name);
    if (line && sent && line.slice(name.length + 1).trim() !== sent) problems.push(`${name} is "${line.slice(name.length + 1).trim()}" in the string, but "${sent}" in the request.`);
  }
}

function ofValues(own, problems) {
  const bodiless = ["GET", "HEAD"].includes(own.method);
  if (bodiless && /content-type|digest/.test(own.covered + own.string)) problems.push(`A ${own.method} covers neither content-type nor digest.`);
  if (own.target && !own.target.startsWith("/")) problems.push("The request target has no slash at its beginning.");
  if (/^[^?]*\/\//.test(own.target)) problems.push("There is // in the path, which the bank cannot verify.");
  if (own.digest && !/^sha-256=/i.test(own.digest)) problems.push("The digest does not begin with SHA-256=.");
  if (/=?[0-9a-f]{64}$/i.test(own.digest)) problems.push("The digest is in hexadecimal. It is base64 of the 32 bytes.");
  if (/^[0-9a-f]{256,}$/i.test(own.signature)) problems.push("The signature is in hexadecimal. It is base64.");
  if (/\s/.test(own.signature)) problems.push("There is white space inside the signature. Base64 stands on one line.");
  if (own.algorithm && own.algorithm !== "rsa-sha256") problems.push(`The algorithm is ${own.algorithm}. The bank takes rsa-sha256 only.`);
}
