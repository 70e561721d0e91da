"""The sampler: sources to analysis to a Report, once a tick."""
