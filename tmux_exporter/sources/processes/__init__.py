"""Read processes from /proc, or with psutil on other systems."""
