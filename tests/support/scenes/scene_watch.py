"""The whole sampler over one scene: what an exporter would report of it, sample by sample."""

import os

from tests.support.literals.scripted import sampler_of
from tests.support.scenes.scene import Scene
from tmux_exporter.config import Config, TmuxSettings
from tmux_exporter.facts.report import LeakReport, Report
from tmux_exporter.facts.schedulers import SchedulerState
from tmux_exporter.sources.host.memory_limits import LimitReader
from tmux_exporter.sources.processes.leak_details import LeakDetailReader


class SceneWatch:
    """Samples a scene as one exporter does that runs all the time."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._sampler = sampler_of(
            scene,
            scene.source,
            clock=scene.clock,
            config=Config(tmux=TmuxSettings(query_timeout=0.4)),
            limits=LimitReader(clock=scene.clock),
            default_socket=str(scene.base / "none" / f"tmux-{os.getuid()}" / "default"),
            leak_details=LeakDetailReader(clock=scene.clock),
        )

    def sample(self) -> Report:
        """The next sample, 5 s after the last: a rested server is asked anew."""
        self._scene.clock.advance(5.0)
        return self._sampler.sample()

    def states(self) -> dict[int, SchedulerState]:
        """The schedulers of the next sample by the pids of their shells."""
        return {each.process.pid: each.state for each in self.sample().schedulers}

    def leaks(self) -> dict[int, LeakReport]:
        """What is leaked in the next sample, schedulers left out, by pid."""
        return {each.process.pid: each for each in self.sample().leaks if each.kind != "scheduler"}
