"""What is written down: audit, plans, holds, status."""
