"""`python -m server.scheduler`: the scheduler in a process of its own, with kube-scheduler's flags."""

import sys
from contextlib import AsyncExitStack

from kubeling.client import HttpClient
from server.scheduler import start_scheduler
from server.standalone import Fence, arguments, main


def run(words: list[str] | None = None) -> int:
    options = arguments("server.scheduler", "The scheduler of a cluster, over HTTP.").parse_args(words)

    async def begin(parts: AsyncExitStack, client: HttpClient, fence: Fence) -> None:
        scheduler = start_scheduler(fence(client))
        parts.push_async_callback(scheduler.stop)

    return main("kube-scheduler", options, begin)


if __name__ == "__main__":
    sys.exit(run())
