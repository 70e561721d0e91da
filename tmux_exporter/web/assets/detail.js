// The pane of one thing: what it is, its last hour, its processes as a tree, and what belongs to it.

import { UNKNOWN, ago, bytes, count, duration, moment, percent, plural, until } from "./format.js";
import { Command } from "./copy.js";
import { enough, largest, path, svg } from "./past.js";
import {
  agentPlace,
  kindOf,
  leakPlace,
  namesIn,
  panePlace,
  schedulerPlace,
  serverPlace,
  sessionPlace,
} from "./places.js";
import { element } from "./table.js";
import { EVIDENCE, FATES, KINDS, REASONS, SOURCES, STATES, fateOf, reasonOf } from "./words.js";

const CHART = { width: 300, height: 46 };
const MOST = 12; // of a list

const ofSession = (one) => (other) => other.server === one.server && other.session === one.session;
const words = (text) => `${text ?? ""}`.replaceAll("_", " ");

// Each: how to find the thing in a report, what it is called, its pill, what is said of it, its command.
const THINGS = {
  agent: {
    find: (report, place) => report.agents.find((each) => agentPlace(each) === place),
    query: ({ server, session, agent }) => ({ server, session, agent }),
    name: (agent) => agent.agent,
    pill: (agent) => [STATES[agent.state]?.[0] ?? "warn", agent.state],
    facts: agentFacts,
    command: (agent) => agent.attach_command,
    explain: (agent) => (agent.pid === null ? null : agent.pid),
    lists: (agent, report) => [
      ["Session", [[agent.session, sessionPlace(agent), ""]]],
      schedulersOf(report.schedulers.filter(ofSession(agent))),
      leaksOf(report.leaks.filter(ofSession(agent))),
    ],
    board: (agent) => ["tmux-agent", { server: agent.server, session: agent.session, agent: agent.agent }],
  },
  session: {
    find: (report, place) => report.sessions.find((each) => sessionPlace(each) === place),
    query: ({ server, session }) => ({ server, session }),
    name: (session) => session.session,
    pill: (session) => ["plain", session.attached_clients ? "attached" : "detached"],
    facts: (session, { now }) => [
      ["Server", session.server],
      ["Windows, panes", `${count(session.windows)}, ${count(session.panes)}`],
      ["Clients", count(session.attached_clients)],
      ["Last activity", ago(session.last_activity_timestamp_seconds, now)],
      ["History", bytes(session.history_bytes)],
      ...usageFacts(session.usage),
    ],
    explain: ({ session }) => (/^[\w.-]+$/.test(session) ? `session:${session}` : null),
    lists: (session, report) => [
      ["Agents", report.agents.filter(ofSession(session)).map(agentLine)],
      schedulersOf(report.schedulers.filter(ofSession(session))),
      leaksOf(report.leaks.filter(ofSession(session))),
    ],
    board: ({ server, session }) => ["tmux-session", { server, session }],
  },
  pane: {
    find: (report, place) => {
      const [server, pane] = namesIn(place);
      return report.servers.some((each) => serverPlace(each) === serverPlace({ server })) ? { server, pane } : null;
    },
    query: ({ server, pane }) => ({ server, pane }),
    name: ({ pane }) => pane,
    pill: () => null,
    facts: ({ server }, { told }) => {
      const [pane] = told?.panes ?? [];
      return [
        ["Server", server],
        ...(pane
          ? [
              ["Session", pane.session],
              ["Window", [pane.window, pane.window_name].filter(Boolean).join(" ")],
              ["Its command", pane.dead ? "has ended" : pane.pid === null ? UNKNOWN : `pid ${pane.pid}`],
              ["Protected", pane.protected ? "yes, by @protect" : "no"],
              ["History", bytes(pane.history_bytes)],
              ...usageFacts(pane.usage),
            ]
          : []),
      ];
    },
    explain: ({ pane }) => (/^%\d+$/.test(pane) ? `'${pane}'` : null),
    lists: ({ server, pane }, report) => [
      ["Agents", report.agents.filter((each) => each.server === server && each.pane === pane).map(agentLine)],
    ],
  },
  server: {
    find: (report, place) => report.servers.find((each) => serverPlace(each) === place),
    query: ({ server }) => ({ server }),
    name: (server) => server.server,
    pill: (server) =>
      server.up ? ["good", "up"] : server.ended ? ["plain", "ended"] : [server.held ? "warn" : "bad", "not answering"],
    facts: (server, { now }) => [
      ...(server.up || server.ended ? [] : [["Why", reasonOf(server)]]),
      ...(server.held ? [["Shown is", `its last answer, ${duration(server.listing_age_seconds ?? 0)} old`]] : []),
      ["tmux", server.version ?? UNKNOWN],
      ["Process", server.pid === null ? UNKNOWN : `pid ${server.pid}`],
      ["Started", ago(server.start_time_seconds, now)],
      ["Sessions, windows, panes", [server.sessions, server.windows, server.panes].map(count).join(", ")],
      ["Clients", count(server.clients)],
      ["Memory", bytes(server.resident_memory_bytes)],
      ["Open fds", `${count(server.open_fds)} of ${count(server.max_fds)}`],
      ["Asked", plural(server.queries, "time")],
      ["Without an answer", failuresIn(server.query_failures)],
    ],
    explain: ({ server }) => (/^[\w.-]+$/.test(server) ? `server:${server}` : null),
    lists: (server, report) => [
      ["Sessions", sessionsOf(report.sessions.filter((each) => each.server === server.server))],
      ["Agents", report.agents.filter((each) => each.server === server.server).map(agentLine)],
    ],
    board: ({ server }) => ["tmux-servers", { server }],
  },
  scheduler: {
    find: (report, place) => report.schedulers.find((each) => schedulerPlace(each) === place),
    query: ({ pid }) => ({ pid }),
    name: ({ pid }) => `process ${pid}`,
    pill: ({ state }) => [FATES[state]?.[0] ?? "warn", words(state)],
    facts: (scheduler, { now }) => [
      ["It", fateOf(scheduler)],
      ["Target", scheduler.targets.map((target) => target ?? "not shown").join(", ") || UNKNOWN],
      ["Due", until(scheduler.due_timestamp_seconds, now)],
      ["Session", scheduler.session || UNKNOWN],
      ["Server", scheduler.server || UNKNOWN],
      ["Memory", bytes(scheduler.memory_bytes)],
      ["Open fds", count(scheduler.open_fds)],
    ],
    explain: ({ pid }) => pid,
    policy: ({ pid }) => pid,
    lists: (scheduler, report) => [
      ["Session", sessionsOf(report.sessions.filter(ofSession(scheduler)))],
      schedulersOf(report.schedulers.filter((each) => each !== scheduler && ofSession(scheduler)(each))),
    ],
    board: ({ server, session }) => ["tmux-leaks", { server, session }],
  },
  leak: {
    find: (report, place) => report.leaks.find((each) => leakPlace(each) === place),
    query: ({ pid }) => ({ pid }),
    name: ({ pid }) => `process ${pid}`,
    pill: ({ kind }) => [KINDS[kind]?.[0] ?? "warn", words(kind)],
    facts: (leak, { now }) => [
      ["It is", KINDS[leak.kind]?.[1] ?? words(leak.kind)],
      ["Left by pane", leak.pane || UNKNOWN],
      ["Session", leak.session || UNKNOWN],
      ["Server", leak.server || UNKNOWN],
      ["Started", ago(leak.start_time_seconds, now)],
      ["Memory", bytes(leak.memory_bytes)],
      ["CPU time", `${leak.cpu_seconds_total.toFixed(1)} s`],
      ["Open fds", count(leak.open_fds)],
    ],
    explain: ({ pid }) => pid,
    policy: ({ pid }) => pid,
    lists: (leak, report) => [
      ["Session", sessionsOf(report.sessions.filter(ofSession(leak)))],
      leaksOf(report.leaks.filter((each) => each !== leak && ofSession(leak)(each))),
    ],
    board: ({ server, session }) => ["tmux-leaks", { server, session }],
  },
};

function agentFacts(agent, { now, told }) {
  const since = agent.state_since_timestamp_seconds;
  const reason = REASONS[agent.waiting_reason];
  const passed = (told?.clues ?? []).map(({ source, state }) => `${SOURCES[source]}: ${words(state) || "nothing sure"}`);
  return [
    ["State", [words(agent.state), reason, `for ${duration(Math.max(0, now - since))}`].filter(Boolean).join(", ")],
    ["Told by", SOURCES[agent.state_source] ?? UNKNOWN],
    ...(passed.length ? [["Not decisive", passed.join("; ")]] : []),
    ["Program", [agent.program, agent.version].filter(Boolean).join(" ") || UNKNOWN],
    ...(agent.role ? [["Role", agent.role]] : []),
    ["Pane", `${agent.pane || UNKNOWN}, window ${[agent.window, agent.window_name].filter(Boolean).join(" ")}`],
    ["Server", agent.server],
    ["Restarts", count(agent.restarts_total)],
    ["Time in states", timesIn(agent.state_seconds_total)],
    ...usageFacts(agent.usage),
  ];
}

function timesIn(seconds) {
  const known = Object.entries(seconds).filter(([, value]) => value >= 1);
  const ranked = known.sort(([, one], [, two]) => two - one);
  return ranked.map(([state, value]) => `${state} ${duration(value)}`).join(", ") || UNKNOWN;
}

function failuresIn(failures) {
  const known = Object.entries(failures).filter(([, many]) => many);
  return known.map(([why, many]) => `${why} ${count(many)}`).join(", ") || "never";
}

const CPU_SOURCES = {
  cgroup: "the kernel's account of its cgroups",
  processes: "its processes",
  mixed: "cgroups of its own, and processes outside them",
};
const MEMORY_SOURCES = {
  cgroup: "the kernel's account of its cgroups",
  status: "its processes; nothing of note is shared",
  smaps_rollup: "its processes; what is shared is divided",
  upper_bound: "its processes; what is shared counts for each",
};

function usageFacts(usage) {
  const limit = usage.memory_limit_bytes;
  const part = limit && usage.memory_bytes !== null ? `, ${Math.floor((usage.memory_bytes / limit) * 100)} % of ${bytes(limit)}` : "";
  return [
    ["Memory", `${bytes(usage.memory_bytes)}${part}; from ${MEMORY_SOURCES[usage.memory_source] ?? UNKNOWN}`],
    ["CPU time", `${usage.cpu_seconds_total.toFixed(1)} s; from ${CPU_SOURCES[usage.cpu_source] ?? UNKNOWN}`],
    ["Open fds", count(usage.open_fds)],
    ["Processes", `${count(usage.processes)} with ${plural(usage.threads, "thread")}`],
    ["Read, written", `${bytes(usage.read_bytes_total)}, ${bytes(usage.written_bytes_total)}`],
    ...(usage.partial?.length ? [["Not whole", `${usage.partial.join(", ")}: a process cannot be read`]] : []),
  ];
}

const agentLine = (agent) => [agent.agent, agentPlace(agent), words(agent.state), STATES[agent.state]?.[0]];
const sessionsOf = (sessions) => sessions.map((each) => [each.session, sessionPlace(each), bytes(each.usage.memory_bytes)]);
const schedulersOf = (schedulers) => [
  "Schedulers of its session",
  schedulers.map((each) => [`process ${each.pid}`, schedulerPlace(each), words(each.state), FATES[each.state]?.[0]]),
];
const leaksOf = (leaks) => [
  "Left by its session",
  leaks.map((each) => [`process ${each.pid}`, leakPlace(each), words(each.kind), KINDS[each.kind]?.[0]]),
];

// Parents before their children, with their depth; the largest memory first.
export function asTree(processes) {
  const there = new Set(processes.map((each) => each.pid));
  const below = new Map();
  for (const each of processes) {
    const parent = there.has(each.parent) && each.parent !== each.pid ? each.parent : null;
    below.set(parent, [...(below.get(parent) ?? []), each]);
  }
  const rows = [];
  const walk = (parent, depth) => {
    for (const each of below.get(parent) ?? []) {
      rows.push([each, depth]);
      walk(each.pid, depth + 1);
    }
  };
  walk(null, 0);
  return rows;
}

function chart(title, times, values, show, least) {
  const most = Math.max(largest(values), least);
  const line = path(times, values, { ...CHART, most });
  const told = `${title}: now ${show(values.at(-1) ?? null)}, at most ${show(largest(values))}`;
  return element(
    "figure",
    {},
    element("figcaption", { textContent: told }),
    svg(
      "svg",
      { class: "chart", viewBox: `0 -1 ${CHART.width} ${CHART.height + 2}`, preserveAspectRatio: "none", role: "img", "aria-label": told },
      svg("path", { d: line, "vector-effect": "non-scaling-stroke" }),
    ),
  );
}

function timeline(times, states) {
  const span = times.at(-1) - times[0] || 1;
  const runs = [];
  states.forEach((state, place) => {
    if (runs.at(-1)?.state === state) runs.at(-1).to = times[place];
    else {
      if (runs.length) runs.at(-1).to = times[place];
      runs.push({ state, from: times[place], to: times[place] });
    }
  });
  const bars = runs.map(({ state, from, to }) =>
    svg("rect", {
      class: state === null ? "none" : STATES[state]?.[0] ?? "warn",
      x: ((from - times[0]) / span) * CHART.width,
      width: Math.max(0.5, ((to - from) / span) * CHART.width),
      y: 0,
      height: 10,
    }),
  );
  const last = runs.filter(({ state }) => state !== null).slice(-6);
  const told = last.map(({ state, from }) => `${state} from ${new Date(from * 1000).toLocaleTimeString()}`).join(", ");
  return element(
    "figure",
    {},
    element("figcaption", { textContent: "State" }),
    svg("svg", { class: "states", viewBox: `0 0 ${CHART.width} 10`, preserveAspectRatio: "none", role: "img", "aria-label": `State: ${told}` }, ...bars),
    element("figcaption", { className: "note", textContent: told }),
  );
}

export class DetailPane {
  #report = null;
  #context = {};
  #told = null;
  #asked = "";
  #board = null;

  constructor(closed) {
    this.heading = element("h2", { id: "detail-title", tabIndex: -1 });
    this.kind = element("span", { className: "note" });
    this.pill = element("span");
    const close = element("button", { type: "button", className: "close", textContent: "Close" });
    close.addEventListener("click", closed);
    this.commands = element("div", { className: "commands" });
    this.attach = new Command();
    this.explain = new Command();
    this.policy = new Command();
    this.links = element("p", { className: "links" });
    this.commands.append(this.attach.node, this.explain.node, this.policy.node, this.links);
    this.facts = element("dl");
    this.hour = element("div", { className: "hour" });
    this.tree = element("div");
    this.lists = element("div");
    this.gone = element("p", { className: "nothing", textContent: "It is not there any more." });
    this.node = element(
      "aside",
      { id: "detail", className: "card", hidden: true, "aria-labelledby": this.heading.id },
      element("div", { className: "title" }, this.kind, this.heading, this.pill, close),
      this.gone,
      this.commands,
      this.hour,
      this.facts,
      this.tree,
      this.lists,
    );
  }

  get place() {
    return this.node.hidden ? null : this.#asked;
  }

  boards(address) {
    this.#board = address;
  }

  open(place) {
    this.#asked = place;
    this.#told = null;
    this.node.hidden = false;
    this.node.scrollTop = 0;
    this.#draw();
    this.heading.focus({ preventScroll: true });
    this.#ask();
  }

  close() {
    this.node.hidden = true;
  }

  update(report, context) {
    this.#report = report;
    this.#context = context;
    if (this.node.hidden) return;
    // What somebody has chosen to copy stays.
    const chosen = getSelection();
    if (!chosen.isCollapsed && this.node.contains(chosen.anchorNode)) return;
    this.#draw();
    this.#ask();
  }

  #thing() {
    const kind = THINGS[kindOf(this.#asked)];
    return [kind, this.#report && kind && namesIn(this.#asked) ? kind.find(this.#report, this.#asked) : null];
  }

  async #ask() {
    const place = this.#asked;
    const [kind, thing] = this.#thing();
    if (!thing) return;
    try {
      const answer = await fetch(`api/v1/detail?${new URLSearchParams(kind.query(thing))}`, { cache: "no-store" });
      const told = answer.ok ? await answer.json() : null;
      if (place !== this.#asked) return;
      this.#told = told;
      this.#draw();
    } catch {
      // The page says that there is no connection.
    }
  }

  #draw() {
    const [kind, thing] = this.#thing();
    const names = namesIn(this.#asked) ?? [];
    this.kind.textContent = kindOf(this.#asked) ?? "";
    this.heading.textContent = thing ? kind.name(thing) : (names.at(-1) ?? "");
    const pill = thing && kind.pill(thing);
    this.pill.hidden = !pill;
    if (pill) [this.pill.className, this.pill.textContent] = [`pill ${pill[0]}`, pill[1]];
    this.gone.hidden = Boolean(thing) || this.#report === null;
    for (const node of [this.commands, this.facts, this.hour, this.tree, this.lists]) node.hidden = !thing;
    if (!thing) return;
    const context = { ...this.#context, told: this.#told };
    this.#next(kind, thing);
    this.facts.replaceChildren(
      ...kind.facts(thing, context).flatMap(([name, value]) => [
        element("dt", { textContent: name }),
        element("dd", { textContent: value }),
      ]),
    );
    this.#lastHour(thing);
    this.tree.replaceChildren(...(this.#told ? [...this.#panes(thing), ...this.#processes()] : []));
    const lists = kind.lists(thing, this.#report).filter(([, items]) => items.length);
    this.lists.replaceChildren(...lists.map(([title, items]) => list(title, items)));
  }

  #next(kind, thing) {
    const name = kind.name(thing);
    const explained = kind.explain(thing);
    const policy = kind.policy && this.#report.remediator ? kind.policy(thing) : null;
    for (const [command, text] of [
      [this.attach, kind.command?.(thing)],
      [this.explain, explained === null ? null : `tmux-exporter explain ${explained}`],
      [this.policy, policy === null ? null : `tmux-remediator explain ${policy}`],
    ]) {
      command.node.hidden = !text;
      if (text) command.show(text, name);
    }
    const links = [];
    const alerts = (this.#context.alerts ?? []).filter(
      (each) => each.agent === (thing.agent ?? "") && each.session === (thing.session ?? "") && each.server === thing.server,
    );
    for (const { alertname, priority } of alerts.filter((each) => /^Tmux[A-Za-z]+$/.test(each.alertname))) {
      const query = new URLSearchParams(kind.query(thing));
      links.push([`${priority} ${alertname}: runbook`, `runbooks/${alertname}?${query}`]);
    }
    if (this.#board && kind.board) {
      const [uid, names] = kind.board(thing);
      const query = new URLSearchParams(Object.entries(names).map(([key, value]) => [`var-${key}`, value]));
      links.push(["its board", `${this.#board}/d/${uid}?${query}`]);
    }
    this.links.hidden = links.length === 0;
    this.links.replaceChildren(...links.map(([text, href]) => element("a", { textContent: text, href })));
  }

  #lastHour(thing) {
    const known = "pane" in thing && !("agent" in thing) ? null : this.#context.past?.of(thing);
    const shown = known && enough(known.memory);
    this.hour.hidden = !shown;
    if (!shown) return;
    const { times, cpu, memory, states } = known;
    const charts = [chart("CPU", times, cpu, percent, 0.01), chart("Memory", times, memory, bytes, 1)];
    if (states.some((state) => state !== null)) charts.push(timeline(times, states));
    const span = element("p", { className: "note", textContent: `the last ${duration(times.at(-1) - times[0])}` });
    this.hour.replaceChildren(...charts, span);
  }

  #panes(thing) {
    if ("pane" in thing || !this.#told.panes.length) return [];
    const rows = this.#told.panes.map((pane) => [
      [pane.pane, panePlace(thing.server, pane.pane)],
      [pane.window, pane.window_name].filter(Boolean).join(" "),
      pane.dead ? "dead" : count(pane.usage.processes),
      bytes(pane.usage.memory_bytes),
      `${pane.usage.cpu_seconds_total.toFixed(1)} s`,
    ]);
    return [grid("Panes", ["Pane", "Window", "Processes", "Memory", "CPU time"], rows)];
  }

  #processes() {
    const { processes, left_out: more } = this.#told;
    if (!processes.length) return [element("p", { className: "nothing", textContent: "No process of it lives." })];
    const rows = asTree(processes).map(([each, depth]) => [
      [each.name, null, depth],
      `${each.pid}`,
      bytes(each.memory_bytes),
      `${each.cpu_seconds_total.toFixed(1)} s`,
      count(each.open_fds),
      EVIDENCE[each.evidence] ?? "",
    ]);
    const title = `Processes${more ? `, and ${count(more)} smaller ones` : ""}`;
    return [grid(title, ["Process", "Pid", "Memory", "CPU time", "Fds", "Belongs to it"], rows)];
  }
}

// A small table; the first cell may be [text, address, depth].
function grid(title, heads, rows) {
  const body = rows.map(([first, ...rest]) => {
    const [text, href, depth] = Array.isArray(first) ? first : [first];
    const name = href ? element("a", { textContent: text, href }) : element("span", { textContent: text });
    const head = element("th", { scope: "row", className: `depth-${Math.min(depth ?? 0, 8)}` }, name);
    return element("tr", {}, head, ...rest.map((each) => element("td", { textContent: each })));
  });
  const top = element("tr", {}, ...heads.map((each) => element("th", { scope: "col", textContent: each })));
  const table = element("table", {}, element("caption", { textContent: title }), element("thead", {}, top), element("tbody", {}, ...body));
  return element("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": title }, table);
}

function list(title, items) {
  const shown = items.slice(0, MOST).map(([text, href, note, pill]) =>
    element(
      "li",
      {},
      element("a", { href, textContent: text }),
      element("span", { className: pill ? `pill ${pill}` : "note", textContent: note }),
    ),
  );
  const more = items.length - MOST;
  if (more > 0) shown.push(element("li", { className: "note", textContent: `and ${count(more)} more` }));
  return element("section", {}, element("h3", { textContent: title }), element("ul", {}, ...shown));
}
