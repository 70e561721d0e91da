// What is not right with what the page shows, one sentence each, the worst first.

import { duration, plural } from "./format.js";
import { reasonOf } from "./words.js";

const GRAVITY = ["bad", "warn", "plain"];
const MOST_NOTICES = 5;

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
