"""Prometheus exporter for coding agents in tmux."""

__version__ = "0.1.0"

PROJECT = "https://github.com/tmux-exporter/tmux-exporter/blob/main"
"""Where the whole project can be read, also by who has installed no more than the program."""
