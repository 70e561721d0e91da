// One section: heading, sortable table, words for when there is nothing in it.
// Rows and cells are kept from report to report and only their text changes, so that what somebody has
// selected or scrolled to stays. All text goes through textContent.

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

class Cell {
  constructor(column) {
    this.main = element("span");
    this.note = element("span", { className: "note" });
    this.bar = element("span", { hidden: true }, element("span"));
    // Figures stay at the right edge, one below the other; what belongs to them stands before them.
    const parts = column.number ? [this.note, this.bar, this.main] : [this.main, this.note];
    this.node = element(column.head ? "th" : "td", { className: kind(column) }, ...parts);
    if (column.head) this.node.scope = "row";
  }

  // What is shown: text, and as needed title, note (quieter text), pill or mark (good, warn, bad), bar (0 to 1).
  show({ text, title = "", note = "", pill = "", mark = "", bar = null }) {
    write(this.main, text);
    write(this.note, note);
    this.note.hidden = note === "";
    this.main.className = pill ? `pill ${pill}` : `main ${mark}`;
    this.node.title = title;
    this.bar.hidden = bar === null;
    this.bar.className = `bar ${mark}`;
    this.bar.firstChild.style.width = `${Math.round(Math.min(1, bar ?? 0) * 100)}%`;
  }
}

class Row {
  constructor(columns) {
    this.cells = columns.map((column) => new Cell(column));
    this.node = element("tr", {}, ...this.cells.map((cell) => cell.node));
  }
}

export class Table {
  #section;
  #rows = new Map();
  #items = [];
  #context = null;
  #words = [];
  #sort;

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
    const heading = element("h2", { id: `${section.id}-title`, textContent: section.title });
    this.node = element(
      "section",
      { id: section.id, className: "card", "aria-labelledby": heading.id },
      element("div", { className: "title" }, heading, this.count),
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
    const { columns, key, empty } = this.#section;
    const shown = this.#sorted(this.#items.filter((item) => this.#matches(item)));
    const total = this.#items.length;
    write(this.count, shown.length === total ? `${total}` : `${shown.length} of ${total}`);
    write(this.nothing, total === 0 ? empty : "Nothing here matches the filter.");
    this.nothing.hidden = shown.length > 0;
    this.scroll.hidden = shown.length === 0;
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
      const row = this.#rows.get(key(item)) ?? new Row(columns);
      kept.set(key(item), row);
      columns.forEach((column, index) => {
        const cell = column.show(item, this.#context);
        const value = column.value(item, this.#context);
        if (column.bar && value !== null) cell.bar = value / (largest.get(column) || 1);
        row.cells[index].show(cell);
      });
      if (this.body.children[place] !== row.node) this.body.insertBefore(row.node, this.body.children[place] ?? null);
    });
    for (const [name, row] of this.#rows) if (!kept.has(name)) row.node.remove();
    this.#rows = kept;
  }
}
