// The address of everything that can be opened: #/agent/SERVER/SESSION/AGENT, #/session/SERVER/SESSION,
// #/pane/SERVER/PANE, #/server/SERVER, #/scheduler/PID, #/leak/PID.

// A byte that is no UTF-8 arrives as a lone surrogate, which no address may have.
const encode = (name) => encodeURIComponent(`${name}`.replace(/[\uD800-\uDFFF]/gu, "\uFFFD"));

const address = (kind, ...names) => `#/${[kind, ...names.map(encode)].join("/")}`;

export const agentPlace = (each) => address("agent", each.server, each.session, each.agent);
export const sessionPlace = (each) => address("session", each.server, each.session);
export const panePlace = (server, pane) => address("pane", server, pane);
export const serverPlace = (each) => address("server", each.server);
export const schedulerPlace = (each) => address("scheduler", each.pid);
export const leakPlace = (each) => address("leak", each.pid);

const KINDS = /^#\/(agent|session|pane|server|scheduler|leak)\//;

export const kindOf = (place) => KINDS.exec(place)?.[1] ?? null;

// The names in an address, as they were given; null where it is none of ours.
export function namesIn(place) {
  try {
    return kindOf(place) && place.slice(2).split("/").slice(1).map(decodeURIComponent);
  } catch {
    return null;
  }
}
