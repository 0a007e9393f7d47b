// The header: what a developer looks at first when calls begin to fail.

import * as api from "./api.js";
import { fill, h, plain } from "./dom.js";

const EVERY = 10000;

export class Health {
  constructor(box, failed) {
    Object.assign(this, { box, failed, timer: 0, onListeners: () => {} });
    document.addEventListener("visibilitychange", () => { if (!document.hidden) this.refresh(); });
  }

  async refresh() {
    clearTimeout(this.timer);
    if (document.hidden) return;
    try {
      this.show(await api.json("health"));
    } catch (error) {
      this.failed(error);
    }
    this.timer = setTimeout(() => this.refresh(), EVERY);
  }

  show(state) {
    this.onListeners(state.listeners || []);
    fill(this.box, [
      chip("proxy", state.state, state.state === "serving" ? "good" : "bad", `version ${state.version}, since ${state.started_at}`),
      ...state.applications.flatMap((one) => application(one, state.applications.length > 1)),
      ...state.clock_ahead.map(skew), limits(state.rate_limits), ...state.upstreams.filter((one) => one.breaker).map(breaker),
      state.in_flight > 0 && chip("in hand", state.in_flight, "", "requests that are under way"),
    ].filter(Boolean));
  }
}

function chip(name, value, mood, title) {
  return h("li", { class: "chip " + mood, title: plain(String(title || "")) }, h("span", {}, name), " ", h("b", {}, plain(String(value))));
}

function application(one, named) {
  const label = named ? one.name + " " : "";
  const chips = [chip(label + "key", one.key ? `RSA-${one.key.bits} ${one.key.spki_sha256.slice(0, 8)}` : "none", one.ready ? "good" : "bad",
    one.last_error ? `last reload failed: ${one.last_error.sentence}` : one.key ? `SHA-256 of the public key ${one.key.spki_sha256}` : "nothing is signed")];
  if (one.certificate) {
    const days = one.certificate.days_left;
    chips.push(chip("expires", days < 0 ? "expired" : `in ${days} d`, days < 7 ? "bad" : days < 30 ? "warn" : "good", `${one.certificate.subject}, until ${one.certificate.not_after}`));
  }
  return chips;
}

function skew(one) {
  const seconds = one.seconds;
  return chip("clock", Math.abs(seconds) < 1 ? "in step" : `${seconds > 0 ? "+" : "\u2212"}${Math.abs(seconds)} s`, Math.abs(seconds) < 5 ? "good" : Math.abs(seconds) < 30 ? "warn" : "bad",
    `ours is ${seconds} s ahead of that of ${one.upstream}, by its last answers`);
}

function limits(all) {
  if (!all.length) return null;
  const least = all.reduce((one, other) => (one.remaining <= other.remaining ? one : other));
  return chip("limit", `${least.remaining} left`, least.remaining === 0 ? "bad" : least.remaining < 10 ? "warn" : "good", all.map((one) => `${one.name}: ${one.remaining}`).join("\n"));
}

function breaker(one) {
  const state = typeof one.breaker === "string" ? one.breaker : one.breaker.state;
  return chip("breaker", state, state === "closed" ? "good" : "bad", one.name);
}
