"""Read what our own programs publish: the remediator's status, a running exporter's report."""
