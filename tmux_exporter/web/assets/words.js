// Words and colours for every closed list of a report: the same wherever the page shows one.

import { near } from "./format.js";

// Why a server's answer is not to be used, in words.
export const FAILURES = {
  hung: () => "it does not answer in time, as if stopped or overloaded",
  noserver: (server) =>
    server.pid === null
      ? "no process listens on its socket"
      : `it lives, but its socket file is gone; kill -USR1 ${server.pid} makes it anew`,
  denied: () => "its socket may not be opened by this user",
  protocol: () => "what it said is not tmux's protocol",
  partial: () => "it answered only in part",
  malformed: () => "its answer makes no sense",
  untrusted: () => "it is not who it says it is, or its socket is not safe from other users",
};

export const reasonOf = (server) => FAILURES[server.reason]?.(server) ?? "why is not known";

// What becomes of a scheduler: how bad, in words. The order is that of badness.
export const FATES = {
  immortal: ["bad", "sleeps for ever"],
  serverless: ["bad", "its tmux server has ended"],
  stale_generation: ["bad", "its tmux server was replaced by a younger one"],
  dangling: ["bad", "its target does not exist"],
  misdirected: ["bad", "tmux would take its target for another"],
  overdue: ["bad", "is due and still sleeps"],
  duplicate: ["warn", "a newer one does the same"],
  armed_origin_gone: ["warn", "will arrive; its own pane is gone"],
  opaque: ["warn", "cannot be judged"],
  unknown: ["warn", "not known just now"],
  firing: ["good", "sends now"],
  armed: ["good", "will arrive"],
};
export const BADNESS = Object.keys(FATES);

// What else is to be known of one.
export const REMARKS = {
  fires_at_once: "does not wait: its sleep is 0",
  never_sends: "sends only if its sleep fails",
  target_dead: "its target's pane is dead",
  target_at_shell: "no agent there: the shell would run the text",
  target_waiting: "the agent there waits at a dialog, and the keys would answer it",
  target_younger: "the session there was made after it",
};

export function fateOf(scheduler) {
  const [, words] = FATES[scheduler.state] ?? ["warn", ""];
  const remarks = (scheduler.remarks ?? []).map((remark) => REMARKS[remark] ?? remark);
  return [words, ...remarks].filter(Boolean).join("; ");
}

// What an agent does: how urgent for a person, in words. The order is that of urgency.
export const STATES = {
  waiting: ["bad", "waits for a person"],
  exited: ["warn", "its process has ended"],
  unknown: ["warn", "no source says what it does"],
  idle: ["plain", "has nothing to do"],
  working: ["good", "works"],
};
export const URGENCY = Object.keys(STATES);

// Who told the state of an agent.
export const SOURCES = {
  process: "reported by its process",
  usage_file: "reported by its file of usage",
  agent_file: "reported by its own file",
  hook: "reported by its hook",
  pane_title: "read from the title of its pane",
  pane_text: "read from what its pane shows",
  window_activity: "guessed from the activity of its window",
  none: "no source",
};

// What ties a process to its pane or server, the surest first.
export const EVIDENCE = {
  tree: "started below it",
  kernel_session: "in its kernel session",
  tty: "on its terminal",
  cgroup: "in its cgroup",
  environment: "by its environment",
  agent_marker: "by an agent's marker",
  folder: "by its folder",
  memory: "seen there before",
  lineage: "by fork events",
  none: "nothing",
};

// What it waits for.
export const REASONS = {
  permission: "for a permission",
  trust: "for you to trust its folder",
  question: "for an answer",
  dialog: "at a dialog",
  usage_limit: "for its usage limit to end",
  api_error: "after an error of its service",
  auth: "for a login",
  other: "for a person",
};

// What an agent waits for, in words; "" where nothing tells.
export function whyWaits(agent, now) {
  const ends = agent.usage_limit_reset_timestamp_seconds;
  if (isLimited(agent) && ends) return `for its usage limit, until ${near(ends, now)}`;
  return REASONS[agent.waiting_reason] ?? "";
}

// A limit ends by itself: nobody can answer it.
export const isLimited = (agent) => agent.waiting_reason === "usage_limit";
export const pillOf = (agent) => (isLimited(agent) ? "warn" : (STATES[agent.state]?.[0] ?? "warn"));

// What a process that outlived its pane is: how surely something is to be done about it, in words.
export const KINDS = {
  scheduler: ["bad", "schedulers whose keys will never arrive, or that never end"],
  agent: ["bad", "coding agents"],
  mcp_server: ["bad", "MCP servers"],
  dev_server: ["warn", "they listen on a TCP port"],
  shell_job: ["warn", "a job that a shell started in the background"],
  other: ["warn", "nothing tells what they are"],
  agent_daemon: ["plain", "they serve several agents, by design also later ones"],
};
