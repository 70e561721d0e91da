"""Read the machine: /proc, /sys, limits, mounts, ports."""
