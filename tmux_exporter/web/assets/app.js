// The live page: takes reports, fills the tables, and says how old what it shows is.

import { DetailPane } from "./detail.js";
import { follow } from "./feed.js";
import { bytes, count, duration, percent, plural, total, until } from "./format.js";
import { helpDialog, listen } from "./keys.js";
import { NeedsList, inTrouble, isOtherLeak, isWaiting, needs } from "./needs.js";
import { notices } from "./notices.js";
import { Notifier } from "./notify.js";
import { Past } from "./past.js";
import { kindOf } from "./places.js";
import { Rates, agentKey, leakKey, serverKey, sessionKey } from "./rates.js";
import { SECTIONS } from "./sections.js";
import { Table, element } from "./table.js";

const byId = (id) => document.getElementById(id);
const rates = new Rates();
const tables = SECTIONS.map((section) => [section, new Table(section)]);
const needsList = new NeedsList();
const past = new Past();
const notifier = new Notifier(byId("notify"));
const pane = new DetailPane(closePane);
const help = helpDialog();
document.body.append(pane.node, help);
byId("first").append(needsList.node);
byId("sections").append(...tables.map(([, table]) => table.node));

let report = null;
let alerts = null; // those that fire; null where that is not known
let link = "connecting";
let clock = null; // what the server's clock said, and when we heard it

function now() {
  if (clock === null) return Date.now() / 1000;
  return clock.said + (performance.now() - clock.heard) / 1000;
}

const LINKS = {
  connecting: "connecting",
  waiting: "connected",
  live: "live",
  asking: "asking every 5 s",
  lost: "no connection to the exporter, trying again",
};

function showTitle(stale) {
  const waiting = report?.agents.filter(isWaiting).length ?? 0;
  const badge = stale ? "(?) " : waiting ? `(${waiting}) ` : "";
  if (document.title !== `${badge}tmux_exporter`) document.title = `${badge}tmux_exporter`;
}

function showAge() {
  const late = report !== null && now() - report.timestamp > Math.max(3 * report.interval_seconds, 10);
  const stale = report !== null && (late || link === "lost");
  document.body.classList.toggle("stale", stale);
  needsList.stale(stale);
  showTitle(stale);
  const arriving = link === "live" || link === "asking";
  byId("dot").className = `dot ${link === "lost" || late ? "bad" : arriving ? "good" : "warn"}`;
  const words = late && link !== "lost" ? "the exporter has not sampled lately" : LINKS[link];
  if (byId("link").textContent !== words) byId("link").textContent = words;
  const age = report === null ? "" : duration(Math.max(0, now() - report.timestamp));
  byId("age").textContent = report === null ? "" : stale ? `· what you see is ${age} old` : `· sample ${age} old`;
}

function tile(name, place, figure, note, mark = "") {
  return element(
    "div",
    { className: "card" },
    element("dt", {}, element("a", { href: `#${place}`, textContent: name })),
    element("dd", { className: mark ? `figure mark ${mark}` : "figure", textContent: figure }),
    element("dd", { className: "note", textContent: note, title: note }),
  );
}

function tally(items, name) {
  const numbers = new Map();
  for (const item of items) numbers.set(name(item), (numbers.get(name(item)) ?? 0) + 1);
  const ranked = [...numbers].sort((left, right) => right[1] - left[1]);
  if (!ranked.length) return "";
  const [[first, number]] = ranked;
  const rest = items.length - number;
  return rest ? `${number} ${first}, ${rest} other` : `${number} ${first}`;
}

function most(items, value) {
  const known = items.filter((item) => value(item) !== null && value(item) > 0);
  return known.reduce((top, item) => (top === null || value(item) > value(top) ? item : top), null);
}

function summary({ servers, sessions, agents, schedulers, leaks }) {
  const memory = total(sessions, (session) => session.usage.memory_bytes);
  const largest = most(sessions, (session) => session.usage.memory_bytes);
  const busiest = most(sessions, (session) => rates.of(sessionKey(session)));
  const waiting = agents.filter(isWaiting).length;
  const trouble = schedulers.filter(inTrouble).length;
  const left = leaks.filter(isOtherLeak);
  const down = servers.filter((server) => !server.up).length;
  const answers = `${count(servers.length - down)} up, ${count(down)} not`;
  const due = schedulers.map((each) => each.due_timestamp_seconds).filter((time) => time !== null && time > now());
  const next = due.length ? `next ${until(Math.min(...due), now())}` : "none due";
  const panes = sessions.reduce((sum, session) => sum + session.panes, 0);
  return [
    tile("Servers", "servers", count(servers.length), down ? answers : "all answer", down ? "warn" : ""),
    tile("Sessions", "sessions", count(sessions.length), `with ${plural(panes, "pane")}`),
    tile(
      "Agents",
      waiting ? "needs" : "agents",
      waiting ? `${count(waiting)} waiting` : count(agents.length),
      waiting ? `of ${count(agents.length)}` : tally(agents, (agent) => agent.program) || "none found",
      waiting ? "bad" : "",
    ),
    tile("Memory", "sessions", bytes(memory), largest ? `most in ${largest.session}` : "of all sessions"),
    tile("CPU", "sessions", percent(rates.sum(sessions.map(sessionKey))), busiest ? `most in ${busiest.session}` : "of one core"),
    tile(
      "Schedulers",
      "schedulers",
      trouble ? `${count(trouble)} in trouble` : count(schedulers.length),
      !schedulers.length ? "none pending" : trouble ? `of ${count(schedulers.length)}, ${next}` : next,
      trouble ? "bad" : "",
    ),
    tile(
      "Leaked",
      "leaks",
      count(left.length),
      left.length ? `hold ${bytes(total(left, (leak) => leak.memory_bytes))}` : "nothing left over",
      left.length ? "warn" : "",
    ),
  ];
}

// Null where the exporter has not read it.
function host(facts) {
  if (!facts) return "";
  const { memory_bytes: all, memory_available_bytes: free, load1: load, processes } = facts;
  const words = [
    free === null ? "" : `${bytes(free)} of ${bytes(all)} memory available`,
    load === null ? "" : `load ${load.toFixed(2)}`,
    processes === null ? "" : plural(processes, "process", "processes"),
  ];
  return `This host: ${words.filter(Boolean).join(", ")}`;
}

function counters({ servers, sessions, agents, leaks }) {
  return new Map([
    ...servers.map((server) => [serverKey(server), server.cpu_seconds_total]),
    ...sessions.map((session) => [sessionKey(session), session.usage.cpu_seconds_total]),
    ...agents.map((agent) => [agentKey(agent), agent.usage.cpu_seconds_total]),
    ...leaks.map((leak) => [leakKey(leak), leak.cpu_seconds_total]),
  ]);
}

function show(next) {
  const first = report === null;
  report = next;
  rates.take(report.timestamp, counters(report));
  past.take(report);
  notifier.take(report);
  const nothing = report.servers.length === 0;
  byId("waiting").hidden = true;
  byId("empty").hidden = !nothing;
  byId("first").hidden = nothing;
  byId("summary").hidden = nothing;
  byId("empty-note").textContent = report.stale_sockets
    ? `${plural(report.stale_sockets, "socket file")} left of servers that have ended; they do no harm.`
    : "";
  byId("summary").replaceChildren(...summary(report));
  const wrong = notices(report);
  byId("notices").hidden = wrong.length === 0;
  byId("notices").replaceChildren(
    ...wrong.map(({ kind, text }) => element("li", { className: kind, textContent: text })),
  );
  const context = { now: now(), rates, past, alerts, several: report.servers.length > 1 };
  needsList.update(needs(report, now(), alerts), report.complete && report.servers.every((server) => server.up || server.ended));
  const rest = () => {
    for (const [section, table] of tables) table.update(section.items(report), context);
    pane.update(report, context);
    byId("sections").hidden = nothing;
  };
  // What needs somebody is on the screen before the first tables are made.
  if (first) requestAnimationFrame(() => setTimeout(rest));
  else rest();
  byId("host").textContent = host(report.host);
  const every = `a sample every ${report.interval_seconds} s`;
  byId("sample").textContent = `${every}, the last took ${Math.round(report.duration_seconds * 1000)} ms`;
  showAge();
  // When what a person came for is there; the bench reads it.
  if (first) performance.mark("first report");
}

function filter(text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  needsList.filter(words);
  for (const [, table] of tables) table.filter(words);
}

byId("filter").addEventListener("input", (event) => {
  const text = event.target.value;
  filter(text);
  // What is filtered can be kept as a bookmark, and sent to somebody.
  const query = text ? `?${new URLSearchParams({ filter: text })}` : location.pathname;
  history.replaceState(null, "", `${query}${location.hash}`);
});
byId("filter").value = new URLSearchParams(location.search).get("filter") ?? "";
filter(byId("filter").value);

// Opening and closing is going to an address: it can be kept, and the browser's way back closes.
function showPane() {
  if (kindOf(location.hash)) pane.open(location.hash);
  else leavePane();
}

function leavePane() {
  const place = pane.place;
  pane.close();
  if (place === null) return;
  const link = [...byId("main").querySelectorAll("a[href]")].find((each) => each.getAttribute("href") === place);
  link?.focus({ preventScroll: true });
}

function closePane() {
  if (pane.place === null) return false;
  history.pushState(null, "", `${location.pathname}${location.search}`);
  leavePane();
  return true;
}

window.addEventListener("hashchange", showPane);
window.addEventListener("popstate", showPane);
showPane();
listen({
  main: byId("main"),
  filter: byId("filter"),
  dialog: help,
  copy: () => pane.node.querySelector(".step:not([hidden]) button")?.click(),
  clear: () => {
    byId("filter").value = "";
    byId("filter").dispatchEvent(new Event("input"));
    byId("filter").blur();
  },
  close: closePane,
});
byId("help-button").addEventListener("click", () => help.showModal());
past.load().then(() => report && show(report));

follow({
  state: (next) => {
    link = next;
    showAge();
  },
  now: (said) => {
    clock = { said, heard: performance.now() };
  },
  report: show,
});
setInterval(showAge, 1000);

const ALERTS_SECONDS = 15;

async function askAlerts() {
  if (document.hidden) return;
  try {
    const answer = await fetch("api/v1/alerts", { cache: "no-store" });
    const told = answer.ok ? await answer.json() : { prometheus: null, alerts: null };
    alerts = told.alerts;
    pane.boards(told.grafana ?? null);
    byId("prometheus").hidden = told.prometheus === null;
    if (told.prometheus !== null) byId("prometheus").href = `${told.prometheus}/alerts`;
  } catch {
    alerts = null;
  }
}
askAlerts();
setInterval(askAlerts, ALERTS_SECONDS * 1000);
