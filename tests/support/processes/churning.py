"""A machine on which processes of all kinds come and go, for the time of a block."""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.isolation.leftovers import end_carrying
from tests.support.processes import churn


@contextmanager
def churning(per_second: int) -> Iterator[None]:
    """Run `churn` and end it with all that it has started."""
    run_id = str(uuid.uuid4())
    with subprocess.Popen(
        [sys.executable, churn.__file__, str(per_second)],
        stdin=subprocess.PIPE,
        env={**os.environ, "CHURN": run_id},
    ) as process:
        try:
            yield
        finally:
            process.kill()
            end_carrying("CHURN", run_id)
