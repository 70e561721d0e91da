// The tables of what works beside the agents, and of what they left: schedulers, leaks, operations, the remediator.

import { figure, memory, server, share, when } from "./columns.js";
import { UNKNOWN, bytes, count, lasting, moment, total, until } from "./format.js";
import { isOtherLeak } from "./needs.js";
import { leakPlace, schedulerPlace } from "./places.js";
import { leakKey } from "./rates.js";
import { BADNESS, FATES, KINDS, fateOf } from "./words.js";

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

// Null where it cannot be told.
const targetOf = ({ targets }) => (targets ?? []).filter((target) => target !== null).join(", ") || null;

const sumOf = (counts) => Object.values(counts).reduce((sum, each) => sum + each, 0);
const meanOf = (operation) => (operation.count ? operation.seconds_total / operation.count : null);
const failuresOf = ({ errors }) => Object.entries(errors).filter(([, many]) => many);
const failed = ({ errors }) => sumOf(errors);
const refused = ({ refusals }) => sumOf(refusals);
const acts = ({ actions }) =>
  actions.map(({ action, outcome, count: many }) => `${action.replaceAll("_", " ")}: ${outcome} ${count(many)}`).join(", ");

export const schedulers = {
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
};

export const leaks = {
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
};

export const operations = {
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
    figure("mean", "On average", meanOf, (operation) => ({ text: lasting(meanOf(operation)) })),
    figure("failed", "Failed", failed, (operation) => ({
      text: count(failed(operation)),
      mark: failed(operation) ? "warn" : "",
      title: failuresOf(operation)
        .map(([reason, many]) => `${many} ${reason}`)
        .join(", "),
    })),
    figure("retries", "Retries", (operation) => operation.retries_total),
  ],
};

export const remediator = {
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
};
