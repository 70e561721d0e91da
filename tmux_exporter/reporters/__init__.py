"""The commands `op` and `hook`, which other programs call: they start fast."""
