"""The language of policy files: a strict YAML file -> a `PolicySet`."""
