"""Files of the remediator: audit, plans, holds, status, switch; replay of recorded decisions."""
