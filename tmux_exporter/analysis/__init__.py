"""Pure functions from facts to conclusions: no I/O, no time, no sources."""
