"""The types of the fixtures of tests/conftest.py that start programs."""

from collections.abc import Callable

import libtmux

from tests.support.programs.exporter import Exporter
from tests.support.programs.up import Up

StartTmux = Callable[[str], libtmux.Server]
StartExporter = Callable[..., Exporter]
StartUp = Callable[..., Up]
