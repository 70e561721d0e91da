"""Frozen facts by subject, and the Report of one sample. Imports nothing of ours but each other."""
