"""One stage a subject: it takes the facts of a sample and returns its part of the report."""
