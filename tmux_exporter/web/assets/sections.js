// What each table shows. A column: id, title, value (to sort by; null is not known), show (what a cell says).
// The context: now (seconds), rates (CPU by key), several (more than one tmux server).

import { UNKNOWN, ago, bytes, count, duration, moment, percent, plural, until } from "./format.js";
import { isOtherLeak } from "./needs.js";
import { agentPlace, leakPlace, schedulerPlace, serverPlace, sessionPlace } from "./places.js";
import { BADNESS, FATES, KINDS, REASONS, SOURCES, STATES, URGENCY, fateOf, reasonOf } from "./words.js";

// The leaks of one owner and kind as one row: there may be hundreds.
function leftovers({ leaks }) {
  const groups = new Map();
  for (const leak of leaks.filter(isOtherLeak)) {
    const key = `${leak.server}\n${leak.session}\n${leak.kind}`;
    const { server, session, kind } = leak;
    if (!groups.has(key)) groups.set(key, { key, server, session, kind, leaks: [] });
    groups.get(key).leaks.push(leak);
  }
  return [...groups.values()];
}

// The sum of what is known; null where nothing is.
export function total(items, value) {
  const known = items.map(value).filter((each) => each !== null);
  return known.length ? known.reduce((sum, each) => sum + each, 0) : null;
}

export const serverKey = (each) => `server\n${each.server}`;
export const sessionKey = (each) => `session\n${each.server}\n${each.session}`;
export const leakKey = (each) => `leak\n${each.pid}\n${each.start_ticks}`;
export const agentKey = (each) => `agent\n${each.server}\n${each.session}\n${each.agent}`;

const NEARLY = 0.7;
const ALMOST = 0.9;

function strain(ratio) {
  if (ratio === null || ratio < NEARLY) return "";
  return ratio < ALMOST ? "warn" : "bad";
}

function standing(server) {
  if (server.up) return { text: "up", pill: "good" };
  if (server.ended) return { text: "ended", pill: "plain" };
  return { text: "not answering", pill: server.held ? "warn" : "bad", title: reasonOf(server) };
}

const memory = (of) => ({
  id: "memory",
  title: "Memory",
  hint: "What the kernel wins back when it ends: anonymous and shared memory, each page once",
  number: true,
  bar: true,
  value: (item) => of(item).memory_bytes,
  show: (item) => {
    const { memory_bytes: used, memory_limit_bytes: limit, swap_memory_bytes: swap } = of(item);
    const ratio = used !== null && limit ? used / limit : null;
    const near = ratio !== null && ratio >= NEARLY ? `${Math.floor(ratio * 100)} % of its limit` : "";
    return {
      text: bytes(used),
      mark: strain(ratio),
      note: near || (swap ? `and ${bytes(swap)} in swap` : ""),
      title: limit ? `limit ${bytes(limit)}` : "",
    };
  },
});

const share = (rate) => ({
  id: "cpu",
  title: "CPU",
  hint: "Share of one core between the last two samples",
  number: true,
  bar: true,
  full: 1,
  value: rate,
  show: (item, context) => ({ text: percent(rate(item, context)) }),
});

const cpu = (key) => share((item, { rates }) => rates.of(key(item)));

// With a line of the last hour.
const lined = (column) => ({ ...column, line: (known) => known[column.id] });

const INCOMPLETE = 0.05;

// Orphans may have used CPU time that no counter of the session has.
const sessionCpu = (column) => ({
  ...column,
  show: (session, context) => {
    const missing = session.cpu_incomplete_ratio ?? 0;
    if (missing <= INCOMPLETE) return column.show(session, context);
    return {
      ...column.show(session, context),
      mark: "warn",
      note: `about ${Math.round(missing * 100)} % missing`,
      title: "so much of its CPU time since the start went to orphans that nobody could watch",
    };
  },
});

const fds = {
  id: "fds",
  title: "Open fds",
  hint: "Open file descriptors; marked when the worst process nears its own limit",
  number: true,
  value: ({ usage }) => usage.open_fds,
  show: ({ usage }) => {
    const ratio = usage.fd_utilization_ratio;
    const mark = strain(ratio);
    return {
      text: count(usage.open_fds),
      mark,
      note: mark ? `${Math.floor(ratio * 100)} %` : "",
      title: ratio === null ? "" : `worst process: ${(ratio * 100).toFixed(1)} % of its limit`,
    };
  },
};

function figure(id, title, value, show = (item) => ({ text: count(value(item)) })) {
  return { id, title, number: true, value, show };
}

function when(id, title, value) {
  return figure(id, title, value, (item, { now }) => ({ text: ago(value(item), now), title: moment(value(item)) }));
}

const processes = figure("processes", "Processes", ({ usage }) => usage.processes);
const history = figure("history", "History", (item) => item.history_bytes, (item) => ({
  text: bytes(item.history_bytes),
}));
const threads = figure("threads", "Threads", ({ usage }) => usage.threads);

const HELPERS = {
  mcp_server: ["MCP server", "MCP servers"],
  language_server: ["language server", "language servers"],
  browser: ["browser", "browsers"],
  shell: ["shell", "shells"],
  subagent: ["subagent", "subagents"],
};

const helpersOf = (agent) =>
  Object.entries(agent.helpers ?? {}).sort(([, one], [, two]) => (two.memory_bytes ?? 0) - (one.memory_bytes ?? 0));

const helperBytes = (agent) => helpersOf(agent).reduce((sum, [, { memory_bytes }]) => sum + (memory_bytes ?? 0), 0);

function helperWords(agent, whole) {
  const words = helpersOf(agent).map(([kind, { count: many, memory_bytes }]) => {
    const [one, several] = HELPERS[kind] ?? [kind, kind];
    return plural(many, one, several) + (whole ? ` (${bytes(memory_bytes)})` : "");
  });
  return words.join(", ") || (whole ? "no server, browser, shell or subagent of it runs" : "none");
}

// Only shown where there is more than one server.
const server = {
  id: "server",
  title: "Server",
  value: (item) => item.server || null,
  show: (item) => ({ text: item.server || UNKNOWN, title: item.server }),
};

// Null where it cannot be told.
const targetOf = ({ targets }) => (targets ?? []).filter((target) => target !== null).join(", ") || null;

const sumOf = (counts) => Object.values(counts).reduce((sum, each) => sum + each, 0);
const meanOf = (operation) => (operation.count ? operation.seconds_total / operation.count : null);
const failuresOf = ({ errors }) => Object.entries(errors).filter(([, many]) => many);
const failed = ({ errors }) => sumOf(errors);
const refused = ({ refusals }) => sumOf(refusals);
const acts = ({ actions }) =>
  actions.map(({ action, outcome, count: many }) => `${action.replaceAll("_", " ")}: ${outcome} ${count(many)}`).join(", ");

export const SECTIONS = [
  {
    id: "agents",
    title: "Agents",
    items: (report) => report.agents,
    key: agentKey,
    place: agentPlace,
    search: (agent) => [
      agent.server,
      agent.session,
      agent.agent,
      agent.program,
      agent.version,
      agent.role,
      agent.window_name,
      agent.pane,
      agent.state,
      agent.waiting_reason ?? "",
    ],
    sort: { by: "state", down: false },
    empty:
      "No coding agent was found in any pane. Known programs are found by themselves; for another one, " +
      "name its pane: tmux set-option -p @agent NAME",
    columns: [
      {
        id: "agent",
        title: "Agent",
        head: true,
        value: (agent) => agent.agent,
        show: (agent) => ({ text: agent.agent, note: agent.role, title: agent.agent }),
      },
      {
        id: "program",
        title: "Program",
        value: (agent) => agent.program,
        show: (agent) => ({ text: agent.program, pill: "plain", note: agent.version }),
      },
      {
        id: "state",
        title: "State",
        hint: "What it does, and since when; those that wait longest for a person come first",
        value: (agent) => URGENCY.indexOf(agent.state) + agent.state_since_timestamp_seconds / 1e12,
        show: (agent, { now }) => {
          const [pill, words] = STATES[agent.state] ?? ["warn", ""];
          const since = duration(Math.max(0, now - agent.state_since_timestamp_seconds));
          const ends = agent.usage_limit_reset_timestamp_seconds;
          const why = ends ? `for its usage limit, until ${moment(ends)}` : REASONS[agent.waiting_reason];
          return {
            text: agent.state,
            pill,
            note: why ? `${why}, ${since}` : since,
            title: `${words} since ${moment(agent.state_since_timestamp_seconds)}; ${SOURCES[agent.state_source] ?? ""}`,
          };
        },
      },
      lined(memory((agent) => agent.usage)),
      lined(cpu(agentKey)),
      fds,
      processes,
      {
        id: "helpers",
        title: "Helpers",
        hint: "What it has started and still runs; sorted by their memory",
        value: helperBytes,
        show: (agent) => ({ text: helperWords(agent, false), title: helperWords(agent, true) }),
      },
      threads,
      {
        id: "where",
        title: "Session",
        value: (agent) => agent.session,
        show: (agent) => ({ text: agent.session, title: agent.session }),
      },
      {
        id: "pane",
        title: "Pane",
        value: (agent) => agent.pane,
        show: (agent) => ({ text: agent.pane, title: `window ${agent.window}: ${agent.window_name}` }),
      },
      when("started", "Started", (agent) => agent.usage.oldest_process_start_time_seconds),
      server,
    ],
  },
  {
    id: "sessions",
    title: "Sessions",
    items: (report) => report.sessions,
    key: sessionKey,
    place: sessionPlace,
    search: (session) => {
      const attached = session.attached_clients ? "attached" : "detached";
      return [session.server, session.session, session.group, attached];
    },
    sort: { by: "memory", down: true },
    empty: "No session is known: no server that answers has one.",
    columns: [
      {
        id: "session",
        title: "Session",
        head: true,
        value: (session) => session.session,
        show: (session) => ({ text: session.session, title: session.session }),
      },
      lined(memory((session) => session.usage)),
      lined(sessionCpu(cpu(sessionKey))),
      fds,
      processes,
      threads,
      figure("panes", "Panes", (session) => session.panes),
      history,
      figure("clients", "Clients", (session) => session.attached_clients),
      when("activity", "Last activity", (session) => session.last_activity_timestamp_seconds),
      server,
    ],
  },
  {
    id: "schedulers",
    title: "Schedulers",
    items: (report) => report.schedulers,
    key: (scheduler) => `${scheduler.pid}`,
    place: schedulerPlace,
    search: (scheduler) => [
      scheduler.server,
      scheduler.session,
      scheduler.state,
      `${scheduler.pid}`,
      fateOf(scheduler),
      targetOf(scheduler) ?? "",
    ],
    sort: { by: "state", down: false },
    empty: "No scheduler is pending: no background shell sleeps and then sends keys to a pane.",
    columns: [
      {
        id: "session",
        title: "Session",
        head: true,
        value: (scheduler) => scheduler.session || null,
        show: (scheduler) => ({ text: scheduler.session || "not known", title: scheduler.session }),
      },
      {
        id: "target",
        title: "Target",
        value: targetOf,
        show: (scheduler) => ({ text: targetOf(scheduler) ?? UNKNOWN, title: targetOf(scheduler) ?? "" }),
      },
      figure("due", "Due", (scheduler) => scheduler.due_timestamp_seconds, (scheduler, { now }) => ({
        text: until(scheduler.due_timestamp_seconds, now),
        title: moment(scheduler.due_timestamp_seconds),
      })),
      {
        id: "state",
        title: "State",
        hint: "What will become of it",
        value: (scheduler) => BADNESS.indexOf(scheduler.state),
        show: (scheduler) => {
          const [pill] = FATES[scheduler.state] ?? ["warn"];
          return { text: scheduler.state.replaceAll("_", " "), pill, note: fateOf(scheduler) };
        },
      },
      figure("memory", "Memory", (scheduler) => scheduler.memory_bytes, (scheduler) => ({
        text: bytes(scheduler.memory_bytes),
      })),
      figure("fds", "Open fds", (scheduler) => scheduler.open_fds),
      {
        id: "pid",
        title: "Process",
        number: true,
        value: (scheduler) => scheduler.pid,
        show: (scheduler) => ({ text: `${scheduler.pid}`, title: `tmux-exporter explain ${scheduler.pid}` }),
      },
      server,
    ],
  },
  {
    id: "leaks",
    title: "Leaks by session and kind",
    items: leftovers,
    key: (group) => group.key,
    place: ({ leaks }) => leakPlace(leaks[0]),
    search: (group) => [
      group.server,
      group.session,
      group.kind,
      KINDS[group.kind]?.[1] ?? "",
      ...group.leaks.map((leak) => `${leak.pid}`),
    ],
    sort: { by: "memory", down: true },
    empty: "Nothing is leaked: what panes started has ended with them, or is meant to stay.",
    columns: [
      {
        id: "session",
        title: "Left by session",
        head: true,
        value: (group) => group.session || null,
        show: (group) => ({ text: group.session || "not known", title: group.session }),
      },
      {
        id: "kind",
        title: "Kind",
        value: (group) => group.kind,
        show: (group) => {
          const [pill, words] = KINDS[group.kind] ?? ["warn", ""];
          return { text: group.kind.replaceAll("_", " "), pill, note: words };
        },
      },
      memory(({ leaks }) => ({
        memory_bytes: total(leaks, (leak) => leak.memory_bytes),
        memory_limit_bytes: null,
        swap_memory_bytes: null,
      })),
      share(({ leaks }, { rates }) => rates.sum(leaks.map(leakKey))),
      figure("fds", "Open fds", ({ leaks }) => total(leaks, (leak) => leak.open_fds)),
      {
        ...figure("processes", "Processes", ({ leaks }) => leaks.length),
        show: ({ leaks }) => ({
          text: count(leaks.length),
          title: `tmux-exporter leaks tells of each; pid ${leaks.map((leak) => leak.pid).join(", ")}`,
        }),
      },
      when("oldest", "Oldest", ({ leaks }) => Math.min(...leaks.map((leak) => leak.start_time_seconds))),
      server,
    ],
  },
  {
    id: "servers",
    title: "Servers",
    items: (report) => report.servers,
    key: serverKey,
    place: serverPlace,
    search: (server) => [server.server, standing(server).text, server.reason ?? ""],
    sort: { by: "name", down: false },
    empty: "No tmux server.",
    columns: [
      {
        id: "name",
        title: "Server",
        head: true,
        value: (server) => server.server,
        show: (server) => ({ text: server.server, title: server.server }),
      },
      { id: "state", title: "State", value: (server) => standing(server).text, show: standing },
      {
        ...figure("memory", "Memory", (server) => server.resident_memory_bytes, (server) => ({
          text: bytes(server.resident_memory_bytes),
        })),
        hint: "Resident memory of the server process itself",
      },
      cpu(serverKey),
      {
        ...figure("fds", "Open fds", (server) => server.open_fds),
        show: (server) => {
          const ratio = server.open_fds !== null && server.max_fds ? server.open_fds / server.max_fds : null;
          const most = server.max_fds ? `of ${count(server.max_fds)}` : "";
          return { text: count(server.open_fds), mark: strain(ratio), note: strain(ratio) && most, title: most };
        },
      },
      figure("sessions", "Sessions", (server) => server.sessions),
      figure("windows", "Windows", (server) => server.windows),
      figure("panes", "Panes", (server) => server.panes),
      figure("clients", "Clients", (server) => server.clients),
      history,
      {
        id: "version",
        title: "tmux",
        value: (server) => server.version,
        show: (server) => ({ text: server.version ?? UNKNOWN }),
      },
      when("started", "Started", (server) => server.start_time_seconds),
    ],
  },
  {
    id: "operations",
    title: "Operations",
    optional: true,
    items: (report) => (report.operations ?? []).filter((each) => each.count || each.in_flight),
    key: (operation) => operation.operation,
    search: (operation) => [operation.operation, ...failuresOf(operation).map(([reason]) => reason)],
    sort: { by: "count", down: true },
    empty: "No operation was reported.",
    columns: [
      {
        id: "operation",
        title: "Operation",
        head: true,
        value: (operation) => operation.operation,
        show: (operation) => ({ text: operation.operation, title: operation.operation }),
      },
      figure("count", "Done", (operation) => operation.count),
      figure("flight", "Under way", (operation) => operation.in_flight),
      figure("mean", "On average", meanOf, (operation) => ({
        text: meanOf(operation) === null ? UNKNOWN : `${meanOf(operation).toPrecision(2)} s`,
      })),
      figure("failed", "Failed", failed, (operation) => ({
        text: count(failed(operation)),
        mark: failed(operation) ? "warn" : "",
        title: failuresOf(operation)
          .map(([reason, many]) => `${many} ${reason}`)
          .join(", "),
      })),
      figure("retries", "Retries", (operation) => operation.retries_total),
    ],
  },
  {
    id: "remediator",
    title: "Remediator",
    optional: true,
    items: (report) => report.remediator?.policies ?? [],
    key: (policy) => policy.policy,
    search: (policy) => [policy.policy, acts(policy)],
    sort: { by: "matches", down: true },
    empty: "No remediator has run.",
    columns: [
      {
        id: "policy",
        title: "Policy",
        head: true,
        value: (policy) => policy.policy,
        show: (policy) => ({ text: policy.policy, title: `tmux-remediator policies` }),
      },
      figure("matches", "Match now", (policy) => policy.matches),
      {
        id: "acts",
        title: "Did, or would do",
        value: acts,
        show: (policy) => ({ text: acts(policy) || "nothing yet", title: acts(policy) }),
      },
      figure("refused", "Left alone", refused, (policy) => ({
        text: count(refused(policy)),
        title: Object.entries(policy.refusals)
          .map(([why, many]) => `${many} ${why.replaceAll("_", " ")}`)
          .join(", "),
      })),
      figure("leases", "Throttled now", (policy) => policy.leases),
    ],
  },
];

const GRAVITY = ["bad", "warn", "plain"];
const MOST_NOTICES = 5;

// What is not right, one sentence each, the worst first.
export function notices(report) {
  const found = [];
  for (const server of report.servers.filter((each) => !each.up)) {
    if (server.ended) {
      found.push({ kind: "plain", text: `Server ${server.server} has ended.` });
      continue;
    }
    const why = reasonOf(server);
    const age = duration(server.listing_age_seconds ?? 0);
    const shown = server.held
      ? ` What is shown of it is its last answer, ${age} old; the figures of its processes are fresh.`
      : " Nothing of its sessions is known now.";
    found.push({ kind: server.held ? "warn" : "bad", text: `Server ${server.server}: ${why}.${shown}` });
  }
  const named = new Set(report.servers.map((server) => server.server));
  for (const problem of report.problems.filter((each) => !named.has(each.source))) {
    found.push({ kind: "warn", text: `${problem.source}: ${problem.reason}.` });
  }
  const dropped = Object.values(report.dropped_series ?? {});
  if (dropped.length) {
    const series = plural(dropped.reduce((sum, number) => sum + number, 0), "series", "series");
    const families = plural(dropped.length, "family", "families");
    found.push({
      kind: "warn",
      text: `/metrics leaves out ${series} of ${families}: more than limits.series allows, or the same labels twice.`,
    });
  }
  const unreadable = Object.entries(report.unreadable_processes).filter(([, number]) => number > 0);
  for (const [reason, number] of unreadable) {
    const many = plural(number, "process", "processes");
    found.push({
      kind: "plain",
      text: `${many} could not be read whole (${reason}); figures may be too low.`,
    });
  }
  found.sort((left, right) => GRAVITY.indexOf(left.kind) - GRAVITY.indexOf(right.kind));
  const rest = found.length - MOST_NOTICES;
  // More than these would push the tables away; the tables hold the rest of it.
  return rest > 1 ? [...found.slice(0, MOST_NOTICES), { kind: "plain", text: `And ${rest} more such remarks.` }] : found;
}
