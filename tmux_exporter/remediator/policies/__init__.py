"""Policy files: strict YAML to a frozen `PolicySet`."""
