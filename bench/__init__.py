"""What measuring costs and how true it is, beside what others use: `python -m bench --help`."""
