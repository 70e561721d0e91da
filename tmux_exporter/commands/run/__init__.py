"""`run`: run a command, a pipeline say, and tell what it and all that it started cost."""
