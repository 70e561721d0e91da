"""Read what agents and their hooks write about their own state."""
