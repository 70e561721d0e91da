"""Ends schedulers that lost their target; observes by default."""
