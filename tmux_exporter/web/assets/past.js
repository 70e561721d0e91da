// The last hour: points of counters and bytes by agent and session, as the exporter keeps them, and lines of them.

const POINTS = 240;
const EARLY = 1; // seconds that a point may come too early
const SVG = "http://www.w3.org/2000/svg";

const keyOf = (each) => `${each.server}\n${each.session}\n${each.agent ?? ""}`;

// Each state as often as it lasted.
const unrolled = (runs) => runs.flatMap(([state, times]) => Array(times).fill(state));

export class Past {
  #times = [];
  #step = 15;
  #rows = new Map();
  version = 0; // grows with every point

  // What the exporter has kept; what this page has taken meanwhile is in it.
  async load() {
    try {
      const answer = await fetch("api/v1/history", { cache: "no-store" });
      if (!answer.ok) return;
      const told = await answer.json();
      const rows = new Map(
        [...told.sessions, ...told.agents].map((each) => [
          keyOf(each),
          { cpu: each.cpu_seconds_total, memory: each.memory_bytes, states: unrolled(each.states ?? []) },
        ]),
      );
      [this.#step, this.#times, this.#rows] = [told.step_seconds, told.timestamps, rows];
      this.version += 1;
    } catch {
      // It begins now, then.
    }
  }

  // Goes on with a report, where a point is due.
  take({ timestamp, sessions, agents }) {
    const last = this.#times.at(-1) ?? -Infinity;
    if (timestamp >= last && timestamp - last < this.#step - EARLY) return;
    if (timestamp < last) {
      this.#times = [];
      this.#rows.clear();
    }
    const before = this.#times.length;
    this.#times.push(timestamp);
    const there = new Map([...sessions, ...agents].map((each) => [keyOf(each), each]));
    for (const key of there.keys()) {
      const none = () => Array(before).fill(null);
      if (!this.#rows.has(key)) this.#rows.set(key, { cpu: none(), memory: none(), states: none() });
    }
    for (const [key, row] of this.#rows) {
      const each = there.get(key);
      const runs = each && each.up !== false;
      row.cpu.push(runs ? each.usage.cpu_seconds_total : null);
      row.memory.push(runs ? each.usage.memory_bytes : null);
      row.states.push(each?.state ?? null);
      if (before >= POINTS) for (const values of Object.values(row)) values.shift();
      if (row.cpu.every((value) => value === null) && !each) this.#rows.delete(key);
    }
    if (before >= POINTS) this.#times.shift();
    this.version += 1;
  }

  // Times, CPU as a share of a core since the point before, bytes and states; null where nothing is known.
  of(thing) {
    const row = this.#rows.get(keyOf(thing));
    if (!row) return null;
    const cpu = row.cpu.map((value, place) => {
      const earlier = row.cpu[place - 1] ?? null;
      const seconds = this.#times[place] - this.#times[place - 1];
      return value === null || earlier === null || value < earlier ? null : (value - earlier) / seconds;
    });
    return { times: this.#times, cpu, memory: row.memory, states: row.states };
  }
}

export function svg(tag, attributes, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

// The d of a path through the known values; where one is not known the line breaks.
export function path(times, values, { width, height, most }) {
  const [from, to] = [times[0], times.at(-1)];
  let pen = "M";
  const steps = values.map((value, place) => {
    if (value === null) {
      pen = "M";
      return "";
    }
    const x = ((times[place] - from) / (to - from || 1)) * width;
    const y = height - (value / (most || 1)) * height;
    const step = `${pen}${x.toFixed(1)} ${y.toFixed(1)}`;
    pen = "L";
    return step;
  });
  return steps.join("");
}

// At most so many points: each the mean of what is known of its part.
export function coarse(times, values, most) {
  const size = Math.ceil(values.length / most);
  if (size < 2) return { times, values };
  const parts = [];
  for (let start = 0; start < values.length; start += size) {
    const known = values.slice(start, start + size).filter((value) => value !== null);
    const mean = known.length ? known.reduce((sum, value) => sum + value, 0) / known.length : null;
    parts.push([times[Math.min(start + size, times.length) - 1], mean]);
  }
  return { times: parts.map(([time]) => time), values: parts.map(([, value]) => value) };
}

export const largest = (values) => values.reduce((top, value) => (value > top ? value : top), 0);
export const enough = (values) => values.filter((value) => value !== null).length > 2;
