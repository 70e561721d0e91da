"""Each alert just within and just outside of its number: the tables of which `mechanical.py` makes tests.

Patience and numbers are written out here and not taken from the thresholds: a number that is changed by
mistake makes a test fail. What needs judgement (growth and its shapes, times since, budgets, joins) is in the
tests that are written by hand.
"""

from alerts.cases import (
    agents,
    exporter,
    hosts,
    leaks,
    operations,
    remediator,
    schedulers,
    servers,
    spending,
    usage,
)

SUBJECTS = {
    "exporter": exporter.cases,
    "servers": servers.cases,
    "usage": usage.cases,
    "agents": agents.cases,
    "spending": spending.cases,
    "leaks": leaks.cases,
    "schedulers": schedulers.cases,
    "operations": operations.cases,
    "hosts": hosts.cases,
    "remediator": remediator.cases,
}
