"""TLS, users and headers of `--web.config.file`."""
