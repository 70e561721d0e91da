"""Alerts: Prometheus rules and Alertmanager's configuration, made from one file of thresholds."""
