"""The machine: /proc, /sys, limits, mounts, ports."""
