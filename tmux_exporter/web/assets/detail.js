// The pane of one thing: what it is, its last hour, its processes as a tree, and what belongs to it.

import { chart, timeline } from "./charts.js";
import { Command } from "./copy.js";
import { bytes, count, duration, percent } from "./format.js";
import { enough } from "./past.js";
import { kindOf, namesIn, panePlace } from "./places.js";
import { element } from "./table.js";
import { THINGS } from "./things.js";
import { EVIDENCE } from "./words.js";

const MOST = 12; // of a list

// Parents before their children, with their depth; the largest memory first.
export function asTree(processes) {
  const there = new Set(processes.map((each) => each.pid));
  const below = new Map();
  for (const each of processes) {
    const parent = there.has(each.parent) && each.parent !== each.pid ? each.parent : null;
    below.set(parent, [...(below.get(parent) ?? []), each]);
  }
  const rows = [];
  const walk = (parent, depth) => {
    for (const each of below.get(parent) ?? []) {
      rows.push([each, depth]);
      walk(each.pid, depth + 1);
    }
  };
  walk(null, 0);
  return rows;
}

export class DetailPane {
  #report = null;
  #context = {};
  #told = null;
  #asked = "";
  #board = null;

  constructor(closed) {
    this.heading = element("h2", { id: "detail-title", tabIndex: -1 });
    this.kind = element("span", { className: "note" });
    this.pill = element("span");
    const close = element("button", { type: "button", className: "close", textContent: "Close" });
    close.addEventListener("click", closed);
    this.commands = element("div", { className: "commands" });
    this.attach = new Command();
    this.explain = new Command();
    this.policy = new Command();
    this.links = element("p", { className: "links" });
    this.commands.append(this.attach.node, this.explain.node, this.policy.node, this.links);
    this.facts = element("dl");
    this.hour = element("div", { className: "hour" });
    this.tree = element("div");
    this.lists = element("div");
    this.gone = element("p", { className: "nothing", textContent: "It is not there any more." });
    this.node = element(
      "aside",
      { id: "detail", className: "card", hidden: true, "aria-labelledby": this.heading.id },
      element("div", { className: "title" }, this.kind, this.heading, this.pill, close),
      this.gone,
      this.commands,
      this.hour,
      this.facts,
      this.tree,
      this.lists,
    );
  }

  get place() {
    return this.node.hidden ? null : this.#asked;
  }

  boards(address) {
    this.#board = address;
  }

  open(place) {
    this.#asked = place;
    this.#told = null;
    this.node.hidden = false;
    this.node.scrollTop = 0;
    this.#draw();
    this.heading.focus({ preventScroll: true });
    this.#ask();
  }

  close() {
    this.node.hidden = true;
  }

  update(report, context) {
    this.#report = report;
    this.#context = context;
    if (this.node.hidden) return;
    // What somebody has chosen to copy stays.
    const chosen = getSelection();
    if (!chosen.isCollapsed && this.node.contains(chosen.anchorNode)) return;
    this.#draw();
    this.#ask();
  }

  #thing() {
    const kind = THINGS[kindOf(this.#asked)];
    return [kind, this.#report && kind && namesIn(this.#asked) ? kind.find(this.#report, this.#asked) : null];
  }

  async #ask() {
    const place = this.#asked;
    const [kind, thing] = this.#thing();
    if (!thing) return;
    try {
      const answer = await fetch(`api/v1/detail?${new URLSearchParams(kind.query(thing))}`, { cache: "no-store" });
      const told = answer.ok ? await answer.json() : null;
      if (place !== this.#asked) return;
      this.#told = told;
      this.#draw();
    } catch {
      // The page says that there is no connection.
    }
  }

  #draw() {
    const [kind, thing] = this.#thing();
    const names = namesIn(this.#asked) ?? [];
    this.kind.textContent = kindOf(this.#asked) ?? "";
    this.heading.textContent = thing ? kind.name(thing) : (names.at(-1) ?? "");
    const pill = thing && kind.pill(thing);
    this.pill.hidden = !pill;
    if (pill) [this.pill.className, this.pill.textContent] = [`pill ${pill[0]}`, pill[1]];
    this.gone.hidden = Boolean(thing) || this.#report === null;
    for (const node of [this.commands, this.facts, this.hour, this.tree, this.lists]) node.hidden = !thing;
    if (!thing) return;
    const context = { ...this.#context, told: this.#told };
    this.#next(kind, thing);
    this.facts.replaceChildren(
      ...kind.facts(thing, context).flatMap(([name, value]) => [
        element("dt", { textContent: name }),
        element("dd", { textContent: value }),
      ]),
    );
    this.#lastHour(thing);
    this.tree.replaceChildren(...(this.#told ? [...this.#panes(thing), ...this.#processes()] : []));
    const lists = kind.lists(thing, this.#report).filter(([, items]) => items.length);
    this.lists.replaceChildren(...lists.map(([title, items]) => list(title, items)));
  }

  #next(kind, thing) {
    const name = kind.name(thing);
    const explained = kind.explain(thing);
    const policy = kind.policy && this.#report.remediator ? kind.policy(thing) : null;
    for (const [command, text] of [
      [this.attach, kind.command?.(thing)],
      [this.explain, explained === null ? null : `tmux-exporter explain ${explained}`],
      [this.policy, policy === null ? null : `tmux-remediator explain ${policy}`],
    ]) {
      command.node.hidden = !text;
      if (text) command.show(text, name);
    }
    const links = [];
    const alerts = (this.#context.alerts ?? []).filter(
      (each) => each.agent === (thing.agent ?? "") && each.session === (thing.session ?? "") && each.server === thing.server,
    );
    for (const { alertname, priority } of alerts.filter((each) => /^Tmux[A-Za-z]+$/.test(each.alertname))) {
      const query = new URLSearchParams(kind.query(thing));
      links.push([`${priority} ${alertname}: runbook`, `runbooks/${alertname}?${query}`]);
    }
    if (this.#board && kind.board) {
      const [uid, names] = kind.board(thing);
      const query = new URLSearchParams(Object.entries(names).map(([key, value]) => [`var-${key}`, value]));
      links.push(["its board", `${this.#board}/d/${uid}?${query}`]);
    }
    this.links.hidden = links.length === 0;
    this.links.replaceChildren(...links.map(([text, href]) => element("a", { textContent: text, href })));
  }

  #lastHour(thing) {
    const known = "pane" in thing && !("agent" in thing) ? null : this.#context.past?.of(thing);
    const shown = known && enough(known.memory);
    this.hour.hidden = !shown;
    if (!shown) return;
    const { times, cpu, memory, states } = known;
    const charts = [chart("CPU", times, cpu, percent, 0.01), chart("Memory", times, memory, bytes, 1)];
    if (states.some((state) => state !== null)) charts.push(timeline(times, states));
    const span = element("p", { className: "note", textContent: `the last ${duration(times.at(-1) - times[0])}` });
    this.hour.replaceChildren(...charts, span);
  }

  #panes(thing) {
    if ("pane" in thing || !this.#told.panes.length) return [];
    const rows = this.#told.panes.map((pane) => [
      [pane.pane, panePlace(thing.server, pane.pane)],
      [pane.window, pane.window_name].filter(Boolean).join(" "),
      pane.dead ? "dead" : count(pane.usage.processes),
      bytes(pane.usage.memory_bytes),
      `${pane.usage.cpu_seconds_total.toFixed(1)} s`,
    ]);
    return [grid("Panes", ["Pane", "Window", "Processes", "Memory", "CPU time"], rows)];
  }

  #processes() {
    const { processes, left_out: more } = this.#told;
    if (!processes.length) return [element("p", { className: "nothing", textContent: "No process of it lives." })];
    const rows = asTree(processes).map(([each, depth]) => [
      [each.name, null, depth],
      `${each.pid}`,
      bytes(each.memory_bytes),
      `${each.cpu_seconds_total.toFixed(1)} s`,
      count(each.open_fds),
      EVIDENCE[each.evidence] ?? "",
    ]);
    const title = `Processes${more ? `, and ${count(more)} smaller ones` : ""}`;
    return [grid(title, ["Process", "Pid", "Memory", "CPU time", "Fds", "Belongs to it"], rows)];
  }
}

// A small table; the first cell may be [text, address, depth].
function grid(title, heads, rows) {
  const body = rows.map(([first, ...rest]) => {
    const [text, href, depth] = Array.isArray(first) ? first : [first];
    const name = href ? element("a", { textContent: text, href }) : element("span", { textContent: text });
    const head = element("th", { scope: "row", className: `depth-${Math.min(depth ?? 0, 8)}` }, name);
    return element("tr", {}, head, ...rest.map((each) => element("td", { textContent: each })));
  });
  const top = element("tr", {}, ...heads.map((each) => element("th", { scope: "col", textContent: each })));
  const table = element("table", {}, element("caption", { textContent: title }), element("thead", {}, top), element("tbody", {}, ...body));
  return element("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": title }, table);
}

function list(title, items) {
  const shown = items.slice(0, MOST).map(([text, href, note, pill]) =>
    element(
      "li",
      {},
      element("a", { href, textContent: text }),
      element("span", { className: pill ? `pill ${pill}` : "note", textContent: note }),
    ),
  );
  const more = items.length - MOST;
  if (more > 0) shown.push(element("li", { className: "note", textContent: `and ${count(more)} more` }));
  return element("section", {}, element("h3", { textContent: title }), element("ul", {}, ...shown));
}
