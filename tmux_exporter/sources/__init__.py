"""Read the machine: tmux, /proc, /sys, files of other programs. Sources return facts and change nothing."""
