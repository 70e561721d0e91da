"""Programs that run as children of `up`."""
