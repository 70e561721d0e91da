"""The remediator: policies decide what to warn about and what to terminate; observes by default."""
