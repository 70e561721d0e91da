"""The table in a terminal that is drawn anew as long as somebody looks: `tmux-exporter top`."""
