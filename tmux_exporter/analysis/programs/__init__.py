"""Which program a process runs: names, shells, the table of agent signatures."""
