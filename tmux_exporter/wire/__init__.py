"""The lines that our own programs send each other. Imports the standard library only."""
