"""The sampler, as the publisher uses it."""

from typing import Protocol

from tmux_exporter.config import Config
from tmux_exporter.facts.detail import Detail, Wanted
from tmux_exporter.facts.report import Report


class Samples(Protocol):
    """The sampler, as the publisher uses it."""

    @property
    def in_doubt(self) -> bool:
        """Whether one more sample would tell what the last one could not."""

    @property
    def asks_again(self) -> bool:
        """Whether one more look, soon, tells what the last sample left open of an agent."""

    def sample(self) -> Report:
        """Take one sample."""

    def detail(self, wanted: Wanted) -> Detail | None:
        """One thing of the last sample; called in any thread."""

    def failed(self) -> Report:
        """The report after a sample that raised."""

    def configure(self, config: Config) -> None:
        """Use these settings from the next sample on."""
