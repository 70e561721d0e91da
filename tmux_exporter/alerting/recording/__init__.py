"""Recording rules: what alerts and boards both need, computed once. Names are level:metric:operations."""
