// Asks the admin port.  The token came behind '#', lives in this tab alone, and goes out in a header.

const KEY = "signing-proxy-inspector-token";

export class Unauthenticated extends Error {}

export function takeToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) {
    setToken(given);
    history.replaceState(null, "", location.pathname);
  }
  return token();
}

export function setToken(value) {
  sessionStorage.setItem(KEY, value);
}

function token() {
  return sessionStorage.getItem(KEY) || "";
}

async function ask(path, options = {}) {
  const headers = { Authorization: "Bearer " + token(), ...options.headers };
  const answer = await fetch("/inspector/api/" + path, { ...options, headers, cache: "no-store", redirect: "error" });
  if (answer.status === 401) throw new Unauthenticated();
  if (!answer.ok) {
    const problem = await answer.json().catch(() => ({}));
    throw new Error([problem.detail || problem.title || "The proxy answered " + answer.status + ".", problem.hint].filter(Boolean).join(" "));
  }
  return answer;
}

export async function json(path) {
  return (await ask(path)).json();
}

export async function text(path) {
  return (await ask(path)).text();
}

export async function post(path, value) {
  const answer = await ask(path, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(value),
  });
  return answer.json();
}

// Server-sent events by fetch, because EventSource cannot send a header.  Ends or throws when the connection does.
export async function events(tell) {
  const answer = await ask("events");
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let waiting = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    waiting += value;
    const whole = waiting.split("\n\n");
    waiting = whole.pop();
    for (const one of whole) {
      const fields = Object.fromEntries(one.split("\n").map((line) => {
        const colon = line.indexOf(": ");
        return [line.slice(0, colon), line.slice(colon + 2)];
      }));
      if (fields.event) tell(fields.event, JSON.parse(fields.data));
    }
  }
}
