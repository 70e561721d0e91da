"""Shared memory counted once; limits."""
