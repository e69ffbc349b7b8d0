"""`python -m server.scheduler`: the scheduler in a process of its own, with kube-scheduler's flags."""

import sys
from contextlib import AsyncExitStack
from pathlib import Path

from kubeling.client import HttpClient
from server.scheduler import Configuration, ConfigurationError, load_configuration, start_scheduler
from server.standalone import Fence, arguments, main


def run(words: list[str] | None = None) -> int:
    parser = arguments("server.scheduler", "The scheduler of a cluster, over HTTP.")
    parser.add_argument("--config", type=Path, help="a KubeSchedulerConfiguration")
    options = parser.parse_args(words)
    configuration: Configuration | None = None
    if options.config is not None:
        try:
            configuration = load_configuration(options.config)
        except ConfigurationError as error:
            parser.error(f"--config: {error}")

    async def begin(parts: AsyncExitStack, client: HttpClient, fence: Fence) -> None:
        scheduler = start_scheduler(fence(client), configuration=configuration)
        parts.push_async_callback(scheduler.stop)

    return main("kube-scheduler", options, begin)


if __name__ == "__main__":
    sys.exit(run())
