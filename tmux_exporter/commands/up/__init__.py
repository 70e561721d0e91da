"""The command `up`."""
