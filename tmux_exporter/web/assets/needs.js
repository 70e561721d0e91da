// What needs a person, the most urgent first: who, what, since when, and the next command.

import { Command } from "./copy.js";
import { bytes, duration, moment, plural, until } from "./format.js";
import { agentPlace, leakPlace, schedulerPlace, sessionPlace } from "./places.js";
import { limitRow, limitedTogether } from "./spending.js";
import { element } from "./table.js";
import { FATES, KINDS, REASONS, SOURCES, fateOf, pillOf, whyWaits } from "./words.js";

const MOST = 6; // rows that are shown before somebody asks for all
const NEAR_LIMIT = 0.9;
const GRAVITY = ["bad", "warn"];

export function isWaiting(agent) {
  return agent.state === "waiting";
}

export function inTrouble(scheduler) {
  return FATES[scheduler.state]?.[0] === "bad";
}

function grouped(items, name) {
  const groups = new Map();
  for (const item of items) {
    const key = name(item);
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(item);
  }
  return groups;
}

// Alerts that fire about a row that is there already, by what their names begin with.
const TOLD = { agent: "TmuxAgentWaiting", scheduler: "TmuxScheduler", leak: "TmuxLeak" };

function isWaitOf(alert, agent) {
  return alert.alertname === "TmuxAgentWaiting" && ["server", "session", "agent"].every((name) => alert[name] === agent[name]);
}

function isAbout(alert, row) {
  const [kind, server, session, rest] = row.key.split("\n");
  if (kind === "quota") return alert.alertname === "TmuxAgentsOutOfQuota";
  if (!(kind in TOLD) || !alert.alertname.startsWith(TOLD[kind])) return false;
  const same = (alert.server === server || !alert.server) && (alert.session === session || !alert.session);
  return same && (kind !== "agent" || alert.agent === rest);
}

const NAME = /^Tmux[A-Za-z]+$/; // it comes from another program

// The page of the alert with its names filled in.
function runbook(alert) {
  const names = ["server", "session", "agent"].filter((name) => alert[name]).map((name) => [name, alert[name]]);
  const query = names.length ? `?${new URLSearchParams(names)}` : "";
  return NAME.test(alert.alertname) ? `runbooks/${alert.alertname}${query}` : "";
}

// As Alertmanager does it: what an agent has done is not told of its session a second time.
function isToldOfAgent(alert, alerts) {
  const ofAgent = alert.alertname.replace("TmuxSession", "TmuxAgent");
  const same = (each) => each.alertname === ofAgent && each.server === alert.server && each.session === alert.session;
  return !alert.agent && ofAgent !== alert.alertname && alerts.some((each) => each.agent && same(each));
}

function alertRow(alert, now, agents) {
  const since = alert.since_timestamp_seconds;
  const agent = agents.find((each) =>
    ["server", "session", "agent"].every((name) => each[name] === alert[name]),
  );
  return {
    key: `alert\n${alert.alertname}\n${alert.server}\n${alert.session}\n${alert.agent}`,
    kind: ["P1", "P2"].includes(alert.priority) ? "bad" : "warn",
    pill: alert.priority || "alert",
    who: alert.agent || alert.session || alert.server || "this host",
    where: alert.agent ? alert.session : "",
    what: `${alert.alertname} fires, ${duration(Math.max(0, now - since))}`,
    title: `since ${moment(since)}`,
    since,
    runbook: runbook(alert),
    place: agent ? agentPlace(agent) : alert.session ? sessionPlace(alert) : "",
    step: agent?.pid ? `tmux-exporter explain ${agent.pid}` : alert.session ? "tmux-exporter top" : "tmux-exporter doctor",
  };
}

const known = (values) => values.filter((value) => value !== null && value !== undefined);
const earliest = (values) => (known(values).length ? Math.min(...known(values)) : null);

function agentRow(agent, now) {
  const since = agent.state_since_timestamp_seconds;
  return {
    key: `agent\n${agent.server}\n${agent.session}\n${agent.agent}`,
    kind: pillOf(agent),
    pill: "waiting",
    who: agent.agent,
    where: agent.session,
    what: `${whyWaits(agent, now) || REASONS.other}, ${duration(Math.max(0, now - since))}`,
    title: `since ${moment(since)}; ${SOURCES[agent.state_source] ?? ""}`,
    since,
    place: agentPlace(agent),
    step: agent.attach_command ?? `tmux-exporter explain ${agent.pid}`,
  };
}

function schedulerRow(schedulers, now) {
  const [first] = schedulers;
  const due = earliest(schedulers.map((each) => each.due_timestamp_seconds));
  const one = schedulers.length === 1;
  const targets = [...new Set(schedulers.flatMap((each) => known(each.targets ?? [])))];
  const aimed = targets.slice(0, 3).join(", ") + (targets.length > 3 ? ", …" : "");
  const comes = due === null ? "" : `${one ? "due" : "the first is due"} ${until(due, now)}`;
  const fate = one ? fateOf(first) : `each: ${FATES[first.state][1]}`;
  const named = targets.length === 1 ? fate.replace(/\bits target\b/, `its target ${aimed}`) : fate;
  const rest = targets.length && named === fate ? `target ${aimed}` : "";
  return {
    key: `scheduler\n${first.server}\n${first.session}\n${first.state}`,
    kind: "bad",
    pill: first.state.replaceAll("_", " "),
    who: plural(schedulers.length, "scheduler"),
    where: first.session,
    what: [named, rest, comes].filter(Boolean).join("; "),
    title: `pid ${schedulers.map((each) => each.pid).join(", ")}`,
    since: due,
    place: schedulerPlace(first),
    step: one ? `tmux-exporter explain ${first.pid}` : "tmux-exporter schedulers",
  };
}

function limitRows(name, item, pid) {
  const { memory_bytes: used, memory_limit_bytes: limit, fd_utilization_ratio: files } = item.usage;
  const near = [];
  if (used !== null && limit && used / limit >= NEAR_LIMIT) {
    near.push(["memory", `uses ${Math.floor((used / limit) * 100)} % of its limit, ${bytes(limit)}`]);
  }
  if (files !== null && files >= NEAR_LIMIT) {
    near.push(["open files", `a process has ${Math.floor(files * 100)} % of the open files that it may have`]);
  }
  return near.map(([pill, what]) => ({
    key: `limit\n${pill}\n${item.server}\n${item.session}\n${name}`,
    kind: "bad",
    pill,
    who: name,
    where: name === item.session ? "" : item.session,
    what,
    title: "",
    since: null,
    place: pid ? agentPlace(item) : sessionPlace(item),
    step: pid ? `tmux-exporter explain ${pid}` : `tmux-exporter top --sort ${pill === "memory" ? "memory" : "fds"}`,
  }));
}

// A session whose agent is near a limit is not told a second time.
function limits({ agents, sessions }) {
  const rows = agents.filter((agent) => agent.up).flatMap((agent) => limitRows(agent.agent, agent, agent.pid));
  const told = new Set(rows.map((row) => row.where));
  return [...rows, ...sessions.filter((each) => !told.has(each.session)).flatMap((each) => limitRows(each.session, each))];
}

function leakRow(leaks, now) {
  const [first] = leaks;
  const since = earliest(leaks.map((leak) => leak.start_time_seconds));
  const held = known(leaks.map((leak) => leak.memory_bytes)).reduce((sum, each) => sum + each, 0);
  return {
    key: `leak\n${first.server}\n${first.session}\n${first.kind}`,
    kind: "warn",
    pill: first.kind.replaceAll("_", " "),
    who: plural(leaks.length, "process", "processes"),
    where: first.session,
    what: `left behind; holds ${bytes(held)}, the oldest runs for ${duration(Math.max(0, now - since))}`,
    title: `pid ${leaks.map((leak) => leak.pid).join(", ")}`,
    since,
    place: leakPlace(first),
    step: "tmux-exporter leaks",
  };
}

// A scheduler is told as a scheduler, also where it is a leak.
export function isOtherLeak(leak) {
  return leak.kind !== "scheduler";
}

export function needs(report, now, alerts) {
  const place = (each) => `${each.server}\n${each.session}\n${each.state ?? each.kind}`;
  const lost = grouped(report.schedulers.filter(inTrouble), place);
  const left = grouped(report.leaks.filter((leak) => isOtherLeak(leak) && KINDS[leak.kind]?.[0] === "bad"), place);
  const limited = limitedTogether(report.agents);
  const rows = [
    ...(limited.length ? [limitRow(limited, report.agents, now)] : []),
    ...report.agents.filter((agent) => isWaiting(agent) && !limited.includes(agent)).map((agent) => agentRow(agent, now)),
    ...[...lost.values()].map((schedulers) => schedulerRow(schedulers, now)),
    ...limits(report),
    ...[...left.values()].map((leaks) => leakRow(leaks, now)),
  ];
  for (const alert of alerts ?? []) {
    // As Alertmanager does it: each of them is told of with all.
    if (limited.some((agent) => isWaitOf(alert, agent))) continue;
    const row = rows.find((each) => isAbout(alert, each));
    // Those of the lowest priority bother nobody.
    if (row) Object.assign(row, { note: `${alert.priority} fires`, runbook: runbook(alert) });
    else if (alert.priority !== "P4" && !isToldOfAgent(alert, alerts)) {
      const added = alertRow(alert, now, report.agents);
      // What pages somebody comes first.
      if (added.kind === "bad") rows.unshift(added);
      else rows.push(added);
    }
  }
  // Within one gravity they stay in this order, the longest known first.
  const order = new Map(rows.map((row, place) => [row, place]));
  const about = (row) => row.key.split("\n", 1)[0];
  return rows.sort((one, two) => {
    const graver = GRAVITY.indexOf(one.kind) - GRAVITY.indexOf(two.kind);
    if (graver || about(one) !== about(two)) return graver || order.get(one) - order.get(two);
    return (one.since ?? Infinity) - (two.since ?? Infinity) || order.get(one) - order.get(two);
  });
}

function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

class Need {
  constructor() {
    this.pill = element("span");
    this.name = element("a");
    this.who = element("strong", {}, this.name);
    this.where = element("span", { className: "note" });
    this.what = element("span", { className: "what" });
    this.runbook = element("a", { textContent: "runbook", hidden: true });
    this.step = new Command();
    this.node = element("li", {}, this.pill, this.who, this.where, this.what, this.runbook, this.step.node);
  }

  show(row) {
    this.pill.className = `pill ${row.kind}`;
    write(this.pill, row.pill);
    write(this.name, row.who);
    if (row.place) this.name.setAttribute("href", row.place);
    else this.name.removeAttribute("href");
    write(this.where, [row.where ? `in ${row.where}` : "", row.note ?? ""].filter(Boolean).join(", "));
    write(this.what, row.what);
    this.what.title = row.title;
    this.runbook.hidden = !row.runbook;
    if (row.runbook) this.runbook.href = row.runbook;
    this.step.show(row.step, row.who);
  }
}

export class NeedsList {
  #nodes = new Map();
  #rows = [];
  #words = [];
  #all = false;
  #sees = true;
  #stale = false;

  constructor() {
    this.count = element("span", { className: "count" });
    this.list = element("ul");
    this.calm = element("p", { className: "calm" });
    this.more = element("button", { type: "button", className: "more" });
    this.more.addEventListener("click", () => {
      this.#all = !this.#all;
      this.#draw();
    });
    const heading = element("h2", { id: "needs-title", textContent: "Needs you" });
    this.node = element(
      "section",
      { id: "needs", className: "card", "aria-labelledby": heading.id },
      element("div", { className: "title" }, heading, this.count),
      this.list,
      this.more,
      this.calm,
    );
  }

  // Sees: whether all servers answer and the sample is whole; else it must not promise that all is well.
  update(rows, sees) {
    this.#rows = rows;
    this.#sees = sees;
    this.#draw();
  }

  // What is shown is old: it says nothing of now.
  stale(stale) {
    if (stale === this.#stale) return;
    this.#stale = stale;
    this.#draw();
  }

  filter(words) {
    this.#words = words;
    this.#draw();
  }

  #calm() {
    if (this.#stale) return "Nothing was known when these figures came. They are old: who waits now is not known.";
    if (!this.#sees) return "Nothing that can be seen. Not everything can be seen just now.";
    return "Nothing. No agent waits, every scheduler will arrive, nothing is near a limit.";
  }

  #matches({ pill, who, where, what }) {
    const text = `${pill}\n${who}\n${where}\n${what}`.toLowerCase();
    return this.#words.every((word) => text.includes(word));
  }

  #draw() {
    const rows = this.#rows.filter((row) => this.#matches(row));
    const shown = this.#all ? rows : rows.slice(0, MOST);
    const kept = new Map();
    shown.forEach((row, place) => {
      const need = this.#nodes.get(row.key) ?? new Need();
      need.show(row);
      kept.set(row.key, need);
      if (this.list.children[place] !== need.node) this.list.insertBefore(need.node, this.list.children[place] ?? null);
    });
    for (const [key, need] of this.#nodes) if (!kept.has(key)) need.node.remove();
    this.#nodes = kept;
    const total = this.#rows.length;
    write(this.count, rows.length === total ? (total ? `${total}` : "") : `${rows.length} of ${total}`);
    this.more.hidden = rows.length <= MOST;
    write(this.more, this.#all ? "Show fewer" : `Show all ${rows.length}`);
    this.calm.hidden = rows.length > 0;
    this.node.classList.toggle("is-calm", total === 0 && this.#sees && !this.#stale);
    write(this.calm, total ? "Nothing here matches the filter." : this.#calm());
  }
}
