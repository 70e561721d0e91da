"""Grafana boards as code: `python -m dashboards` writes what Grafana imports into `json/`."""

import importlib
import warnings

# The SDK warns of the classic model as soon as it is imported. We want it: every Grafana takes it.
with warnings.catch_warnings():
    warnings.filterwarnings("ignore", "Prefer using dashboardv2", DeprecationWarning)
    for module in ("dashboard", "table"):
        importlib.import_module(f"grafana_foundation_sdk.builders.{module}")
