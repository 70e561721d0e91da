"""What our own programs have written: the remediator's status, a running exporter's report."""
