"""Commands `op` and `hook`, called by other programs: they must start fast."""
