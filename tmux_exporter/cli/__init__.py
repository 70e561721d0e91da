"""The two command lines: parse options, load the configuration, call one function, return its exit code."""
