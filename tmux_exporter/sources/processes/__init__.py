"""Processes from /proc, and the portable reader."""
