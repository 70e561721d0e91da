"""`check`: a plugin for Nagios, Icinga and others that run their plugins."""
