// Starts the page: the token, the list, live updates and keys.

import * as api from "./api.js";
import { Detail } from "./detail.js";
import { helpDialog } from "./dialogs.js";
import { fill, h, plain, save, say, toast } from "./dom.js";
import { Health } from "./health.js";
import { List, VERDICTS } from "./list.js";

const $ = (id) => document.getElementById(id);
let paused = [];
let pausing = false;
let news = null;    // the calls that arrived while the list was being fetched

const list = new List($("rows"), $("filters"), $("search"), $("empty"), (id, focus) => detail.open(id, focus).catch(failed));
const detail = new Detail($("detail"), list);
const health = new Health($("health"), (error) => { if (error instanceof api.Unauthenticated) failed(error); });
health.onListeners = (listeners) => {
  const main = listeners.find((one) => one.name === "main");
  if (main && list.address !== main.url) {
    list.address = main.url;
    if (!list.calls.length) list.renderEmpty();
  }
};

function live(state, words) {
  $("live").className = "live " + state;
  $("live").textContent = words;
}

function failed(error) {
  if (error instanceof api.Unauthenticated) askToken();
  else toast(error.message);
}

// What arrives while the list is on its way may be in it or not; the newest fetch alone counts.
async function fetchList() {
  const mine = news = [];
  const there = new Set();
  try {
    const all = await api.json("exchanges");
    if (news !== mine) return;
    list.reset(all.exchanges, all.most);
    all.exchanges.forEach((one) => there.add(one.id));
    live("on", "live");
  } finally {
    if (news === mine) {
      news = null;
      list.add(mine.filter((one) => !there.has(one.id)));
    }
  }
}

function arrived(calls) {
  const bad = calls.filter((one) => ["refused", "stopped", "uncertain", "failed"].includes(one.verdict)).pop();
  if (bad) say(plain(`${bad.method} ${bad.path}: ${VERDICTS[bad.verdict][1]} ${bad.code}`));
  if (pausing) {
    paused = [...paused, ...calls].slice(-list.most);
    $("pause").textContent = `Resume (${paused.length})`;
  } else if (news) {
    news.push(...calls);
  } else {
    list.add(calls);
  }
}

async function listen() {
  for (let wait = 500; ; wait = Math.min(wait * 2, 8000)) {
    try {
      await api.events((name, value) => {
        if (name === "open") {
          wait = 500;
          fetchList().catch(failed);
          health.refresh();
        } else if (name === "calls") {
          arrived(value);
        } else {
          if (name === "cleared") detail.nothing();
          fetchList().catch(failed);
        }
      });
    } catch (error) {
      if (error instanceof api.Unauthenticated) return askToken();
    }
    news = null;
    live("off", "not connected, trying again");
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}

function askToken() {
  live("off", "no token");
  if ($("token")) return;
  const field = h("input", { id: "token", type: "password", autocomplete: "off", "aria-label": "Token" });
  const form = h("form", { class: "token" }, h("h2", {}, "Token"),
    h("p", {}, "Open the address that the proxy printed when it started, or paste its token or the admin token here."),
    field, h("button", { class: "main" }, "Open"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    api.setToken(field.value.trim());
    fill($("detail"));
    detail.nothing();
    listen();
  });
  document.body.classList.add("opened");
  fill($("detail"), h("div", { class: "placeholder" }, form));
  field.focus();
}

function pause() {
  pausing = !pausing;
  $("pause").setAttribute("aria-pressed", String(pausing));
  $("pause").textContent = pausing ? "Resume" : "Pause";
  if (!pausing && paused.length) list.add(paused);
  paused = [];
}

$("pause").addEventListener("click", pause);
$("help").addEventListener("click", helpDialog);
$("clear").addEventListener("click", () => api.post("clear", {}).catch(failed));
$("har").addEventListener("click", async () => {
  try {
    save("signing-proxy.har", "application/json", await api.text("har"));
  } catch (error) {
    failed(error);
  }
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (/^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)) {
    if (event.key === "Escape") $("rows").focus();
    return;
  }
  const does = {
    "/": () => $("search").focus(), "?": helpDialog, p: pause, j: () => list.move(1), k: () => list.move(-1),
    Escape: () => { if (matchMedia("(max-width: 900px)").matches) detail.nothing(); $("rows").focus(); },
  }[event.key];
  if (does) {
    event.preventDefault();
    does();
  } else if (detail.call && /^[a-zA-Z]$/.test(event.key) && event.key !== "j" && detail.press(event.key)) {
    event.preventDefault();
  }
});

if (api.takeToken()) listen();
else askToken();
