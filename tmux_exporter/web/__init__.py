"""The HTTP face: /metrics, the live page, health."""
