"""Reports to decisions, pure: what matches, for how long, what speaks against it."""
