"""Thin: load the configuration, build, call one function, exit code."""
