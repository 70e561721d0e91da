"""Notifications: what `up --notify` sends to a person, where to, and the program that does."""
