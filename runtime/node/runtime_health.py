"""Watches whether the runtime can run pods, and which images it has, for the node's report."""

from kubeling.objects.clock import Clock
from runtime.container_runtime import ContainerRuntime
from runtime.errors import RuntimeServiceError
from runtime.node.node_object import image_list, runtime_problem
from runtime.node.node_reporter import NodeReporter
from runtime.pods.abilities import runtime_features

LOOK_EVERY = 10.0
FIRST_LOOKS = 0.02
"""Seconds between looks: when all is well, and while it is not and the node has only just come up."""
IMPATIENT_FOR = 30.0


class RuntimeHealth:
    def __init__(self, runtime: ContainerRuntime, reporter: NodeReporter, clock: Clock) -> None:
        self._runtime = runtime
        self._reporter = reporter
        self._clock = clock

    async def run(self) -> None:
        """Look for ever."""
        began = self._clock.monotonic()
        while True:
            await self.look()
            impatient = self._reporter.facts.problem and self._clock.monotonic() - began < IMPATIENT_FOR
            await self._clock.sleep(FIRST_LOOKS if impatient else LOOK_EVERY)

    async def look(self) -> None:
        """Tell the reporter how the runtime is now."""
        try:
            status = await self._runtime.status()
            images = image_list(
                await self._runtime.list_images(), self._reporter.facts.kubelet.node_status_max_images
            )
        except RuntimeServiceError as error:
            self._reporter.change(problem=f"container runtime is down: {error}")
        else:
            problem, features = runtime_problem(status.status), runtime_features(status)
            self._reporter.change(problem=problem, images=images, features=features)
