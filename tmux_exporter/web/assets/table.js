// One section: heading, sortable table, words for when there is nothing in it.
// Rows and cells are kept from report to report and only their text changes, so that what somebody has
// selected or scrolled to stays. All text goes through textContent.

import { UNKNOWN } from "./format.js";
import { coarse, enough, largest, path, svg } from "./past.js";

export function element(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in node) node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function compare(left, right) {
  if (left === right) return 0;
  if (left === null) return 1; // not known comes last, whichever way it is sorted
  if (right === null) return -1;
  return typeof left === "string" ? left.localeCompare(right, "en", { numeric: true }) : left - right;
}

function kind(column) {
  return `${column.number ? "number" : "words"} of-${column.id}`;
}

const YIELDS = ["started", "threads", "history", "activity", "processes", "clients", "windows", "helpers", "pane", "fds", "server", "program"];
const STAYS = ["state", "memory", "cpu"];
const LINE = { width: 44, height: 14 };

class Cell {
  constructor(column, linked) {
    this.main = element(linked ? "a" : "span", { className: "main" });
    this.note = element("span", { className: "note" });
    this.bar = element("span", { hidden: true }, element("span"));
    // Figures stay at the right edge, one below the other; what belongs to them stands before them.
    const parts = column.number ? [this.note, this.bar, this.main] : [this.main, this.note];
    if (column.line) {
      const box = `0 -1 ${LINE.width} ${LINE.height + 2}`;
      this.line = svg("path", { d: "" });
      this.chart = svg("svg", { class: "line", viewBox: box, "aria-hidden": "true", hidden: "" }, this.line);
      parts.splice(1, 0, this.chart);
    }
    this.node = element(column.head ? "th" : "td", { className: kind(column) }, ...parts);
    this.node.dataset.title = column.title;
    if (column.head) this.node.scope = "row";
  }

  // What is shown: text, and as needed title, note (quieter text), pill or mark (good, warn, bad), bar (0 to 1).
  show({ text, title = "", note = "", pill = "", mark = "", bar = null }) {
    write(this.main, text);
    write(this.note, note);
    this.note.hidden = note === "";
    this.main.className = pill ? `pill ${pill}` : `main ${mark}`;
    this.node.title = title;
    this.node.classList.toggle("none", text === "" || text === UNKNOWN);
    this.bar.hidden = bar === null;
    this.bar.className = `bar ${mark}`;
    this.bar.firstChild.style.width = `${Math.round(Math.min(1, bar ?? 0) * 100)}%`;
  }

  // The last hour of what the cell tells, in place of the bar.
  draw(past, item, values) {
    const known = past?.of(item);
    const points = known ? values(known) : [];
    const drawn = enough(points);
    this.chart.toggleAttribute("hidden", !drawn);
    if (drawn) this.bar.hidden = true;
    if (!drawn || this.drawn === past.version) return;
    this.drawn = past.version;
    const few = coarse(known.times, points, LINE.width / 2);
    this.line.setAttribute("d", path(few.times, few.values, { ...LINE, most: largest(few.values) }));
  }
}

class Row {
  constructor(columns, linked) {
    this.cells = columns.map((column) => new Cell(column, linked && column.head));
    this.node = element("tr", {}, ...this.cells.map((cell) => cell.node));
    this.link = linked ? this.cells[columns.findIndex((column) => column.head)].main : null;
    this.node.addEventListener("click", (event) => {
      const chosen = getSelection().toString();
      if (this.link && !chosen && !event.target.closest("a, button")) this.link.click();
    });
  }

  open(place) {
    if (this.link?.getAttribute("href") !== place) this.link?.setAttribute("href", place);
  }
}

export class Table {
  #section;
  #rows = new Map();
  #items = [];
  #context = null;
  #words = [];
  #sort;
  #yielded = new Set();
  #unfolded = false;

  constructor(section) {
    this.#section = section;
    this.#sort = { ...section.sort };
    this.count = element("span", { className: "count" });
    this.headers = section.columns.map((column) => this.#header(column));
    this.body = element("tbody");
    this.table = element(
      "table",
      {},
      element("caption", { className: "unseen", textContent: section.title }),
      element("thead", {}, element("tr", {}, ...this.headers)),
      this.body,
    );
    this.scroll = element("div", { className: "scroll" }, this.table);
    this.nothing = element("p", { className: "nothing" });
    this.well = element("span", { className: "note" });
    this.more = element("button", { type: "button", className: "more", hidden: true });
    this.more.addEventListener("click", () => {
      this.#unfolded = !this.#unfolded;
      this.#draw();
    });
    new ResizeObserver(([{ contentRect }]) => {
      if (Math.round(contentRect.width) !== this.width) this.#fit();
    }).observe(this.scroll);
    const heading = element("h2", { id: `${section.id}-title`, textContent: section.title });
    this.node = element(
      "section",
      { id: section.id, className: "card", "aria-labelledby": heading.id },
      element("div", { className: "title" }, heading, this.count, this.well, this.more),
      this.scroll,
      this.nothing,
    );
  }

  #header(column) {
    const button = element("button", { type: "button", textContent: column.title, title: column.hint ?? "" });
    button.addEventListener("click", () => {
      const same = this.#sort.by === column.id;
      this.#sort = { by: column.id, down: same ? !this.#sort.down : Boolean(column.number) };
      this.#draw();
    });
    return element("th", { scope: "col", className: kind(column) }, button);
  }

  update(items, context) {
    this.#items = items;
    this.#context = context;
    this.node.classList.toggle("several", context.several);
    this.#draw();
  }

  filter(words) {
    this.#words = words;
    this.#draw();
  }

  #matches(item) {
    const text = this.#section.search(item).join("\n").toLowerCase();
    return this.#words.every((word) => text.includes(word));
  }

  #sorted(items) {
    const column = this.#section.columns.find((each) => each.id === this.#sort.by);
    const value = (item) => column.value(item, this.#context);
    return [...items].sort((left, right) => {
      const order = compare(value(left), value(right));
      const known = value(left) !== null && value(right) !== null;
      return (this.#sort.down && known ? -order : order) || compare(this.#section.key(left), this.#section.key(right));
    });
  }

  #draw() {
    const { columns, key, empty, place: placeOf } = this.#section;
    const shown = this.#sorted(this.#items.filter((item) => this.#matches(item)));
    const total = this.#items.length;
    write(this.count, shown.length === total ? `${total}` : `${shown.length} of ${total}`);
    write(this.nothing, total === 0 ? empty : "Nothing here matches the filter.");
    this.nothing.hidden = shown.length > 0;
    this.node.hidden = Boolean(this.#section.optional) && total === 0;
    // What is well is one line, until somebody asks for all of it.
    const well = this.#words.length || !total ? null : (this.#section.well?.(this.#items) ?? null);
    write(this.well, well ?? "");
    this.more.hidden = well === null;
    write(this.more, this.#unfolded ? "Hide" : "Show");
    this.more.setAttribute("aria-expanded", `${this.#unfolded}`);
    const folded = well !== null && !this.#unfolded;
    const wasFolded = this.scroll.hidden;
    this.scroll.hidden = shown.length === 0 || folded;
    columns.forEach((column, index) => {
      const sorted = column.id === this.#sort.by ? (this.#sort.down ? "descending" : "ascending") : "none";
      this.headers[index].setAttribute("aria-sort", sorted);
    });
    const largest = new Map();
    for (const column of columns.filter((each) => each.bar)) {
      const values = this.#items.map((item) => column.value(item, this.#context) ?? 0);
      largest.set(column, Math.max(column.full ?? 0, ...values));
    }
    const kept = new Map();
    shown.forEach((item, place) => {
      const row = this.#rows.get(key(item)) ?? new Row(columns, Boolean(placeOf));
      kept.set(key(item), row);
      if (placeOf) row.open(placeOf(item));
      columns.forEach((column, index) => {
        const cell = column.show(item, this.#context);
        const value = column.value(item, this.#context);
        if (column.bar && value !== null) cell.bar = value / (largest.get(column) || 1);
        row.cells[index].show(cell);
        if (column.line) row.cells[index].draw(this.#context.past, item, column.line);
      });
      if (this.body.children[place] !== row.node) this.body.insertBefore(row.node, this.body.children[place] ?? null);
    });
    for (const [name, row] of this.#rows) if (!kept.has(name)) row.node.remove();
    const without = columns.filter((column) => this.#isEmpty(column)).length;
    const changed = this.without !== without || wasFolded !== this.scroll.hidden || kept.size !== this.#rows.size || this.drawn !== (this.#context?.past.version > 1);
    this.drawn = this.#context?.past.version > 1;
    this.without = without;
    this.#rows = kept;
    if (changed) this.#fit();
  }

  // An optional column is there once anybody has a value.
  #isEmpty(column) {
    return Boolean(column.optional) && this.#items.every((item) => column.value(item, this.#context) === null);
  }

  // Where not all columns have room, those that matter least yield, one after the other.
  #fit() {
    const { columns } = this.#section;
    const ids = columns.map((column) => column.id);
    const last = columns.filter((column) => !column.head && !STAYS.includes(column.id)).map((column) => column.id);
    this.width = this.scroll.clientWidth;
    if (!this.width) return;
    this.#yielded.clear();
    for (const { id } of columns.filter((column) => this.#isEmpty(column))) this.#yielded.add(id);
    const order = new Set([...YIELDS, ...last.reverse()].filter((id) => ids.includes(id) && !this.#yielded.has(id)));
    this.#yield();
    // One layout tells how wide each is: where they do not fit, none is wider than it must be.
    const widths = new Map(ids.map((id, place) => [id, this.headers[place].offsetWidth]));
    let over = this.scroll.scrollWidth - this.scroll.clientWidth;
    for (const id of order) {
      if (over <= 0) break;
      this.#yielded.add(id);
      order.delete(id);
      over -= widths.get(id);
    }
    this.#yield();
    for (const id of order) {
      if (this.scroll.scrollWidth <= this.scroll.clientWidth) return;
      this.#yielded.add(id);
      this.#yield();
    }
  }

  #yield() {
    this.#section.columns.forEach(({ id }, index) => {
      const away = this.#yielded.has(id);
      if (this.headers[index].hidden !== away) this.headers[index].hidden = away;
      for (const { cells } of this.#rows.values()) if (cells[index].node.hidden !== away) cells[index].node.hidden = away;
    });
  }
}
