"""Which pane a process belongs to, by layered evidence."""
