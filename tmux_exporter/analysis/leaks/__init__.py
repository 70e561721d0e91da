"""Leaked processes: found, exempted, classified."""
