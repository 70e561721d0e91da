"""Alerts from one file of numbers: thresholds -> rules and Alertmanager's configuration, as plain data."""
