"""Agents: found, named, their states and lifecycles."""
