"""Programs that an ordinary user runs on a machine with a systemd, such as Debian 13."""
