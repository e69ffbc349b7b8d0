"""Watches whether the runtime can run pods, and which images it has, for the node's report.

The rules and the words are the kubelet's: a runtime that does not answer is down after half a minute, one
that answers but lists no pods is not healthy after three minutes. A restart of it is no news.
"""

from kubeling.objects import durations
from kubeling.objects.clock import Clock
from runtime.container_runtime import ContainerRuntime
from runtime.errors import RuntimeServiceError
from runtime.node.node_object import image_list, runtime_problem
from runtime.node.node_reporter import NodeReporter
from runtime.pods.abilities import runtime_features

LOOK_EVERY = 10.0
LOOK_AGAIN = 1.0
"""Seconds between looks: when all is well, and when the last one had no answer."""
FIRST_LOOKS = 0.02
IMPATIENT_FOR = 30.0
"""Seconds between looks while the node has only just come up, and for how long that is."""
DOWN_AFTER = 30.0
"""Seconds without an answer after which the runtime is down."""
UNLISTED_AFTER = 180.0
"""Seconds without a list of pods after which nobody can say what they do."""


class RuntimeHealth:
    def __init__(self, runtime: ContainerRuntime, reporter: NodeReporter, clock: Clock) -> None:
        self._runtime = runtime
        self._reporter = reporter
        self._clock = clock
        self._answered: float | None = None
        self._listed = clock.monotonic()
        self._silent = False

    async def run(self) -> None:
        """Look for ever."""
        began = self._clock.monotonic()
        while True:
            await self.look()
            impatient = self._reporter.facts.problem and self._clock.monotonic() - began < IMPATIENT_FOR
            wait = LOOK_AGAIN if self._silent else LOOK_EVERY
            await self._clock.sleep(FIRST_LOOKS if impatient else wait)

    async def look(self) -> None:
        """Tell the reporter how the runtime is now."""
        self._silent = True
        try:
            await self._ask()
            self._silent = False
        except RuntimeServiceError:
            problem = self._overdue()
            if problem:
                self._reporter.change(problem=problem)

    async def _ask(self) -> None:
        """Raises: RuntimeServiceError."""
        status = await self._runtime.status()
        self._answered = self._clock.monotonic()
        await self._runtime.list_pod_sandboxes()
        self._listed = self._clock.monotonic()
        most = self._reporter.facts.kubelet.node_status_max_images
        self._reporter.change(
            problem=runtime_problem(status.status),
            features=runtime_features(status),
            images=image_list(await self._runtime.list_images(), most),
        )

    def _overdue(self) -> str:
        """What the runtime owes an answer to for too long; "" while there is still patience."""
        now, problems = self._clock.monotonic(), []
        if self._answered is None:
            return "container runtime status check may not have completed yet"
        if now - self._answered > DOWN_AFTER:
            problems.append("container runtime is down")
        silence = now - self._listed
        if silence > UNLISTED_AFTER:
            problems.append(
                f"PLEG is not healthy: pleg was last seen active {durations.text(round(silence))} ago; "
                f"threshold is {durations.text(round(UNLISTED_AFTER))}"
            )
        return f"[{', '.join(problems)}]" if len(problems) > 1 else "".join(problems)
