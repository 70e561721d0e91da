// The keys of the page, and what they do.

import { element } from "./table.js";

const KEYS = [
  ["/", "filter everything"],
  ["j k", "next and previous thing"],
  ["Enter", "open it"],
  ["c", "copy its command, where it is open"],
  ["Esc", "close, or clear the filter"],
  ["?", "these keys"],
];

export function helpDialog() {
  const rows = KEYS.flatMap(([keys, what]) => [
    element("dt", {}, element("kbd", { textContent: keys })),
    element("dd", { textContent: what }),
  ]);
  const close = element("button", { type: "button", textContent: "Close" });
  const dialog = element(
    "dialog",
    { id: "help", "aria-labelledby": "help-title" },
    element("h2", { id: "help-title", textContent: "Keys" }),
    element("dl", {}, ...rows),
    close,
  );
  close.addEventListener("click", () => dialog.close());
  return dialog;
}

// What can be opened, from above to below.
const openable = (main) =>
  [...main.querySelectorAll("#needs strong a[href], tbody th a[href]")].filter((each) => each.checkVisibility());

function step(main, by) {
  const all = openable(main);
  const here = all.indexOf(document.activeElement);
  const next = here < 0 ? (by > 0 ? 0 : all.length - 1) : Math.max(0, Math.min(all.length - 1, here + by));
  all[next]?.focus();
  all[next]?.scrollIntoView({ block: "nearest" });
}

// Calls clear() and close() for Esc; close says whether there was something to close.
export function listen({ main, filter, dialog, copy, clear, close }) {
  const actions = {
    "/": () => filter.focus(),
    "?": () => dialog.showModal(),
    j: () => step(main, 1),
    k: () => step(main, -1),
    c: copy,
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || dialog.open) return;
    if (event.key === "Escape") {
      if (document.activeElement === filter || !close()) clear();
      return;
    }
    const typing = event.target.matches("input, select, textarea");
    if (typing || !(event.key in actions)) return;
    event.preventDefault();
    actions[event.key]();
  });
}
