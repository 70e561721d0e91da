"""Clock, errors, log, private folders: what every room may use."""
