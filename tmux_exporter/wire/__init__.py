"""Formats of messages between our own programs. Imports the standard library only."""
