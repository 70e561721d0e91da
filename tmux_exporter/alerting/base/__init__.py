"""What all rules share: thresholds, scopes, growth."""
