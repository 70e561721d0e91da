"""Parts of boards, one subject a file: each makes its panels, and `panels()` has them in order."""
