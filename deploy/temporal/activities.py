"""Temporal: each attempt of an activity is an operation, and each one after the first a retry.

pip install temporalio tmux-exporter
temporal server start-dev
python activities.py [HOST:PORT]
"""

import asyncio
import subprocess
import sys
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import Worker

with workflow.unsafe.imports_passed_through():
    from tmux_exporter.instrument import operation

QUEUE = "agents"


@activity.defn
async def start_session(name: str) -> None:
    """The first attempt fails here, for an example."""
    with operation("recovery") as op:
        attempt = activity.info().attempt
        if attempt == 1:
            raise RuntimeError("not yet")
        op.retry()
        command = ("tmux", "new-session", "-d", "-s", f"{name}-{attempt}")
        await asyncio.to_thread(subprocess.run, command, check=True)


@workflow.defn
class Recovery:
    """Brings back one session."""

    @workflow.run
    async def run(self, name: str) -> None:
        """Run it."""
        await workflow.execute_activity(start_session, name, start_to_close_timeout=timedelta(minutes=1))


async def main(address: str) -> None:
    """Be the worker, and start one workflow."""
    client = await Client.connect(address)
    async with Worker(client, task_queue=QUEUE, workflows=[Recovery], activities=[start_session]):
        await client.execute_workflow(Recovery.run, "builder", id="recovery", task_queue=QUEUE)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:7233"))
