"""Real agent programs, run offline against stub model servers, and what the exporter says of them."""
