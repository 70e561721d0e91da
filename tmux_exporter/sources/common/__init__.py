"""Helpers of several sources: read untrusted files, cache values with a TTL."""
