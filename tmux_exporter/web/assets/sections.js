// The tables of the page, in their order.

import { cpu, fds, figure, history, lined, memory, processes, server, sessionCpu, strain, threads, when } from "./columns.js";
import { UNKNOWN, bytes, count, duration, moment, plural } from "./format.js";
import { agentPlace, serverPlace, sessionPlace } from "./places.js";
import { agentKey, serverKey, sessionKey } from "./rates.js";
import { cost, quotas } from "./spending.js";
import { leaks, operations, remediator, schedulers } from "./background.js";
import { SOURCES, STATES, URGENCY, pillOf, reasonOf, whyWaits } from "./words.js";

function standing(server) {
  if (server.up) return { text: "up", pill: "good" };
  if (server.ended) return { text: "ended", pill: "plain" };
  return { text: "not answering", pill: server.held ? "warn" : "bad", title: reasonOf(server) };
}

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

const agents = {
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
        const [, words] = STATES[agent.state] ?? ["warn", ""];
        const since = duration(Math.max(0, now - agent.state_since_timestamp_seconds));
        const why = whyWaits(agent, now);
        return {
          text: agent.state,
          pill: pillOf(agent),
          note: why ? `${why}, ${since}` : since,
          title: `${words} since ${moment(agent.state_since_timestamp_seconds)}; ${SOURCES[agent.state_source] ?? ""}`,
        };
      },
    },
    lined(memory((agent) => agent.usage)),
    lined(cpu(agentKey)),
    cost,
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
};

const sessions = {
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
};

const servers = {
  id: "servers",
  title: "Servers",
  items: (report) => report.servers,
  key: serverKey,
  place: serverPlace,
  search: (server) => [server.server, standing(server).text, server.reason ?? ""],
  sort: { by: "name", down: false },
  well: (all) => (all.every((server) => server.up) ? (all.length > 1 ? "all answer" : "answers") : null),
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
};

export const SECTIONS = [agents, quotas, sessions, schedulers, leaks, servers, operations, remediator];
