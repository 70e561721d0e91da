"""Pending schedulers: the shell grammar, targets, states, outcomes."""
