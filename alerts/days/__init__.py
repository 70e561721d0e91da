"""Whole days, played through the rules: ordinary ones that should leave people alone, and bad ones."""
