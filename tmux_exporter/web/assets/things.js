// What is said of each kind of thing: how it is found in a report, its name, its facts, its commands, what belongs to it.

import { UNKNOWN, ago, bytes, count, duration, plural, until } from "./format.js";
import { agentPlace, leakPlace, namesIn, schedulerPlace, serverPlace, sessionPlace } from "./places.js";
import { spentFacts } from "./spending.js";
import { FATES, KINDS, SOURCES, fateOf, pillOf, reasonOf, whyWaits } from "./words.js";

const ofSession = (one) => (other) => other.server === one.server && other.session === one.session;
const words = (text) => `${text ?? ""}`.replaceAll("_", " ");

// Each: how to find the thing in a report, what it is called, its pill, what is said of it, its command.
export const THINGS = {
  agent: {
    find: (report, place) => report.agents.find((each) => agentPlace(each) === place),
    query: ({ server, session, agent }) => ({ server, session, agent }),
    name: (agent) => agent.agent,
    pill: (agent) => [pillOf(agent), agent.state],
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
  const reason = whyWaits(agent, now);
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
    ...spentFacts(agent),
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

const agentLine = (agent) => [agent.agent, agentPlace(agent), words(agent.state), pillOf(agent)];
const sessionsOf = (sessions) => sessions.map((each) => [each.session, sessionPlace(each), bytes(each.usage.memory_bytes)]);
const schedulersOf = (schedulers) => [
  "Schedulers of its session",
  schedulers.map((each) => [`process ${each.pid}`, schedulerPlace(each), words(each.state), FATES[each.state]?.[0]]),
];
const leaksOf = (leaks) => [
  "Left by its session",
  leaks.map((each) => [`process ${each.pid}`, leakPlace(each), words(each.kind), KINDS[each.kind]?.[0]]),
];
