"""The HTTP server: /metrics, the live page, health."""
