"""What all rules share: thresholds, scopes, how an alert is declared, growth."""
