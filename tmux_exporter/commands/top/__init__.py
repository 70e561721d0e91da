"""`tmux-exporter top`: a live table of sessions and agents in a terminal."""
