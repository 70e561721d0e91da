"""Ends scheduled check-ins that lost their target; observes by default."""
