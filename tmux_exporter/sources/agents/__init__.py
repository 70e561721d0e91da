"""What agents and their hooks write about themselves."""
