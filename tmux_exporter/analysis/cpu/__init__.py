"""Process accounting: CPU and I/O by conservation, reaped children, counters that never fall."""
