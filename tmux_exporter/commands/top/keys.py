"""The keys of `top`, in words."""

KEYS = "q quit  ? help  1-7 views  / filter  ↑↓ choose  Enter open  a attach  y copy"
HELP = (
    ("↑↓ jk", "choose a row; PgUp PgDn Home End too"),
    ("1 … 7 Tab", "views: agents, sessions, schedulers, leaks, operations, …"),
    ("Enter", "open it: what it is, and its processes as a tree; Esc goes back"),
    ("a", "attach this terminal to its agent; detach to come back"),
    ("y", "copy the command for that (OSC 52, where the terminal takes it)"),
    ("/", "filter: rows with all its words; Enter keeps it, Esc clears it"),
    ("s c m f l d n", "sort sessions by state, CPU, memory, fds, leaks, next due, name"),
    ("< > r", "sort a list by the column before or after; reverse"),
    ("Ctrl-Z", "stop; fg goes on"),
    ("q Ctrl-C", "end"),
)
"""Keys and what they do."""
