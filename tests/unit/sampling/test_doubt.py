"""What one sample leaves open, so that the next one is taken soon."""

from tests.support.clock import ManualClock
from tests.support.literals.facts import answering, pane, process, table, tmux_view
from tests.support.literals.lives import SERVER, agent, shell
from tests.support.literals.scripted import Processes, Servers, sampler_of
from tmux_exporter.facts.process import ProcessTable

VIEW = tmux_view(answering(SERVER, pane("%0", 200)))


def doubts(*tables: ProcessTable, times: tuple[float, ...] = ()) -> list[bool]:
    """After each sample; the wall times of the samples are `times`."""
    clock = ManualClock(time=5000.0)
    sampler = sampler_of(Processes(tables[0], *tables), Servers(*[VIEW] * len(tables)), clock=clock)
    found = []
    for number in range(len(tables)):
        clock.advance(times[number] - clock.time() if times else 15.0)
        sampler.sample()
        found.append(sampler.in_doubt)
    return found


def test_an_agent_that_one_sample_misses() -> None:
    up, down = table(SERVER, shell(front=False), agent(300)), table(SERVER, shell())
    assert doubts(up, down, down, down) == [False, True, False, False]


def test_a_scheduler_that_is_about_to_fire() -> None:
    # It began at second 2000 and is due at 2600.
    socket = {"TMUX": "/tmp/tmux-1000/default,100,0", "TMUX_PANE": "%0"}
    script = "sleep 600 && tmux send-keys -t a:0 hello Enter"
    waits = process(500, 200, argv=("bash", "-c", script), start=100_000, environ=socket)
    both = table(SERVER, shell(), waits, process(501, 500, argv=("sleep", "600"), start=100_000))
    found = doubts(both, both, both, table(SERVER, shell()), times=(2500.0, 2579.0, 2590.0, 2605.0))
    assert found == [False, False, True, False]
