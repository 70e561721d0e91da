"""A Report as metric families and bytes."""
