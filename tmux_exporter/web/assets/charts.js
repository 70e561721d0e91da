// Drawings of one thing's last hour: lines of figures, and its states as bars.

import { largest, path, svg } from "./past.js";
import { element } from "./table.js";
import { STATES } from "./words.js";

const CHART = { width: 300, height: 46 };

export function chart(title, times, values, show, least) {
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

export function timeline(times, states) {
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
