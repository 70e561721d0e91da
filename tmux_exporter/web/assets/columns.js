// The columns that several tables have. A column: id, title, value (to sort by; null is not known), show (what a cell says).
// The context: now (seconds), rates (CPU by key), several (more than one tmux server).

import { UNKNOWN, ago, bytes, count, moment, percent } from "./format.js";

const NEARLY = 0.7;
const ALMOST = 0.9;

export function strain(ratio) {
  if (ratio === null || ratio < NEARLY) return "";
  return ratio < ALMOST ? "warn" : "bad";
}

export const memory = (of) => ({
  id: "memory",
  title: "Memory",
  hint: "What the kernel wins back when it ends: anonymous and shared memory, each page once",
  number: true,
  bar: true,
  value: (item) => of(item).memory_bytes,
  show: (item) => {
    const { memory_bytes: used, memory_limit_bytes: limit, swap_memory_bytes: swap } = of(item);
    const ratio = used !== null && limit ? used / limit : null;
    const near = ratio !== null && ratio >= NEARLY ? `${Math.floor(ratio * 100)} % of limit` : "";
    return {
      text: bytes(used),
      mark: strain(ratio),
      note: near || (swap ? `and ${bytes(swap)} in swap` : ""),
      title: limit ? `limit ${bytes(limit)}` : "",
    };
  },
});

export const share = (rate) => ({
  id: "cpu",
  title: "CPU",
  hint: "Share of one core between the last two samples",
  number: true,
  bar: true,
  full: 1,
  value: rate,
  show: (item, context) => ({ text: percent(rate(item, context)) }),
});

export const cpu = (key) => share((item, { rates }) => rates.of(key(item)));

// With a line of the last hour.
export const lined = (column) => ({ ...column, line: (known) => known[column.id] });

const INCOMPLETE = 0.05;

// Orphans may have used CPU time that no counter of the session has.
export const sessionCpu = (column) => ({
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

export const fds = {
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

export function figure(id, title, value, show = (item) => ({ text: count(value(item)) })) {
  return { id, title, number: true, value, show };
}

export function when(id, title, value) {
  return figure(id, title, value, (item, { now }) => ({ text: ago(value(item), now), title: moment(value(item)) }));
}

export const processes = figure("processes", "Processes", ({ usage }) => usage.processes);
export const history = figure("history", "History", (item) => item.history_bytes, (item) => ({
  text: bytes(item.history_bytes),
}));
export const threads = figure("threads", "Threads", ({ usage }) => usage.threads);

// Only shown where there is more than one server.
export const server = {
  id: "server",
  title: "Server",
  value: (item) => item.server || null,
  show: (item) => ({ text: item.server || UNKNOWN, title: item.server }),
};
