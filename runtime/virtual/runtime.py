"""A container runtime that runs nothing: sandboxes and containers are records that change with time.

    start ──> running ──(exit-after, crash-after, the command's end)──> exited
                 └────(stop, after stop-latency)──────────────────────> exited

One for each node; what all of them share is `Shared`. What becomes of a container its pod's annotations
say, read anew whenever something is decided, else its command (`commands`).
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from cri_api.v1 import api_pb2 as cri

from kubeling.objects.clock import Clock
from kubeling.objects.meta import Object, uid
from kubeling.version import VERSION
from runtime.container_runtime import ExecResult, RuntimeEvent, RuntimeEventKind
from runtime.errors import NotFound, RuntimeFailed, Unimplemented
from runtime.pods import identity
from runtime.pods.containers.kinds import containers_of, is_sidecar, statuses_of
from runtime.virtual.addresses import Addresses, Serials
from runtime.virtual.commands import FOREVER, Run, run_of
from runtime.virtual.records import Container, Sandbox, image_id, of_status
from runtime.virtual.timers import Timers
from runtime.virtual.wishes import Wishes

NAME = "kubeling-virtual"
TERMINATED, KILLED, NOT_STARTED = 143, 137, 128
"""Exit codes of what was stopped by SIGTERM, by SIGKILL, and of what could not be executed."""


@dataclass(slots=True)
class Shared:
    clock: Clock
    timers: Timers
    serials: Serials
    pod: Callable[[str], Object]
    """The pod of this uid as the API last showed it, {} when there is none."""
    ended: Callable[[str, str], None]
    """Is told (pod uid, container id) when a container ends by itself."""
    slow: Callable[[str], None]
    """Is told the pod's uid before a step of it takes time."""
    latency: float = 0.0
    """Seconds that a pod takes to start, where it does not say itself."""


class VirtualRuntime:
    """Implements `ContainerRuntime`, without events: ends are told to `Shared.ended`."""

    def __init__(self, shared: Shared, addresses: Callable[[], Addresses]) -> None:
        """`addresses` is asked when the first pod starts: the node's range may come late."""
        self._shared = shared
        self._addresses = addresses
        self._sandboxes: dict[str, Sandbox] = {}
        self._containers: dict[str, Container] = {}

    def adopt(self, pod: Object) -> None:
        """Take a pod over that another process has run, as its status shows it."""
        status = pod.get("status") or {}
        address = "" if (pod.get("spec") or {}).get("hostNetwork") else status.get("podIP") or ""
        ready = status.get("phase") in ("Pending", "Running")
        sandbox = Sandbox(self._shared.serials.next(), uid(pod), 0, self._now(), address, ready)
        self._sandboxes[sandbox.id] = sandbox
        if ready and address:
            self._addresses().claim(address)
        for container in _containers_of(pod, sandbox):
            self._containers[container.id] = container
            if container.running:
                self._plan(container)

    def changed(self, pod: Object) -> None:
        """The pod's annotations say something else than before."""
        for container in list(self._of_pod(uid(pod))):
            if container.running:
                self._plan(container)

    # --- what the workers ask ---

    async def version(self) -> cri.VersionResponse:
        return cri.VersionResponse(runtime_name=NAME, runtime_version=VERSION)

    async def status(self) -> cri.StatusResponse:
        kinds = ("RuntimeReady", "NetworkReady")
        conditions = [cri.RuntimeCondition(type=each, status=True) for each in kinds]
        return cri.StatusResponse(status=cri.RuntimeStatus(conditions=conditions))

    async def events(self) -> AsyncIterator[RuntimeEvent]:
        yield RuntimeEvent(RuntimeEventKind.RELIST)

    async def run_pod_sandbox(self, config: cri.PodSandboxConfig, *, handler: str = "") -> str:
        wishes = Wishes(self._shared.pod(config.metadata.uid))
        latency = wishes.seconds("startup-latency")
        await self._pass(config.metadata.uid, self._shared.latency if latency is None else latency)
        trouble = wishes.trouble("sandbox-error", "failed to set up the network of the sandbox")
        if trouble:
            raise RuntimeFailed(trouble)
        on_host = config.linux.security_context.namespace_options.network == cri.NODE
        sandbox = Sandbox(
            id=self._shared.serials.next(),
            pod_uid=config.metadata.uid,
            attempt=config.metadata.attempt,
            created_at=self._now(),
            ip="" if on_host else self._addresses().take(),
        )
        self._sandboxes[sandbox.id] = sandbox
        return sandbox.id

    async def stop_pod_sandbox(self, sandbox_id: str) -> None:
        sandbox = self._sandboxes.get(sandbox_id)
        if sandbox is None or not sandbox.ready:
            return
        sandbox.ready = False
        if sandbox.ip:
            self._addresses().release(sandbox.ip)
        for container in self._of_pod(sandbox.pod_uid):
            if container.running and container.sandbox_id == sandbox_id:
                self._end(container, KILLED)

    async def remove_pod_sandbox(self, sandbox_id: str) -> None:
        await self.stop_pod_sandbox(sandbox_id)
        for container_id in [each.id for each in self._containers.values() if each.sandbox_id == sandbox_id]:
            del self._containers[container_id]
        self._sandboxes.pop(sandbox_id, None)

    async def pod_sandbox_status(self, sandbox_id: str) -> cri.PodSandboxStatus:
        if sandbox_id not in self._sandboxes:
            raise NotFound(f'sandbox "{sandbox_id}": not found', code="NotFound")
        return self._sandboxes[sandbox_id].status()

    async def list_pod_sandboxes(
        self, filter_: cri.PodSandboxFilter | None = None
    ) -> Sequence[cri.PodSandbox]:
        listed = [each.listed() for each in self._sandboxes.values()]
        return [each for each in listed if _matches(each.labels, filter_) and _in_state(each.state, filter_)]

    async def create_container(
        self, sandbox_id: str, config: cri.ContainerConfig, sandbox_config: cri.PodSandboxConfig
    ) -> str:
        pod_uid, name = config.labels[identity.POD_UID], config.metadata.name
        wishes = Wishes(self._shared.pod(pod_uid), name)
        trouble = wishes.trouble("create-error", "failed to generate container spec")
        if trouble:
            raise RuntimeFailed(trouble)
        notes = config.annotations
        container = Container(
            id=self._shared.serials.next(),
            sandbox_id=sandbox_id,
            pod_uid=pod_uid,
            name=name,
            attempt=config.metadata.attempt,
            image=config.image.user_specified_image,
            hash=notes[identity.HASH],
            policy=notes[identity.TERMINATION_MESSAGE_POLICY],
            created_at=self._now(),
            run=run_of([*config.command, *config.args], {each.key: each.value for each in config.envs}),
        )
        self._containers[container.id] = container
        return container.id

    async def start_container(self, container_id: str) -> None:
        container = self._found(container_id)
        wishes = self._wishes(container)
        await self._pass(container.pod_uid, wishes.seconds("start-latency") or 0.0)
        container.started_at = self._now()
        trouble = wishes.trouble("start-error", "exec: no such file or directory")
        if trouble:
            self._finish(container, NOT_STARTED, "StartError", trouble)
            raise RuntimeFailed(trouble)
        container.state = cri.CONTAINER_RUNNING
        self._plan(container, at_start=True)

    async def stop_container(self, container_id: str, *, timeout: int, signal: str = "") -> None:
        container = self._containers.get(container_id)
        if container is None or not container.running:
            return
        wishes = self._wishes(container)
        latency, code = wishes.seconds("stop-latency") or 0.0, wishes.number("stop-exit-code")
        if latency < timeout:
            await self._end_after(container, latency, TERMINATED if code is None else code)
        else:
            await self._end_after(container, timeout, KILLED)

    async def remove_container(self, container_id: str) -> None:
        container = self._containers.pop(container_id, None)
        if container is not None and container.running:
            self._end(container, KILLED)

    async def container_status(self, container_id: str) -> cri.ContainerStatus:
        return self._found(container_id).status()

    async def list_containers(self, filter_: cri.ContainerFilter | None = None) -> Sequence[cri.Container]:
        listed = [each.listed() for each in self._containers.values()]
        return [each for each in listed if _matches(each.labels, filter_) and _in_state(each.state, filter_)]

    async def list_container_stats(
        self, filter_: cri.ContainerStatsFilter | None = None
    ) -> Sequence[cri.ContainerStats]:
        return []

    async def update_container_resources(
        self, container_id: str, resources: cri.LinuxContainerResources
    ) -> None:
        self._found(container_id)

    async def reopen_container_log(self, container_id: str) -> None:
        self._found(container_id)

    async def exec_sync(self, container_id: str, command: Sequence[str], *, timeout: float) -> ExecResult:
        container = self._found(container_id)
        wishes, run = self._wishes(container), run_of(command, {})
        if run.seconds != FOREVER:
            await self._pass(container.pod_uid, run.seconds)
        code, output = wishes.number("exec-exit-code"), wishes.text("exec-output")
        known = run.exit_code if run.seconds != FOREVER else 0
        return ExecResult((output or run.output).encode(), b"", known if code is None else code)

    async def exec_url(self, request: cri.ExecRequest) -> str:
        raise _no_streams()

    async def attach_url(self, request: cri.AttachRequest) -> str:
        raise _no_streams()

    async def port_forward_url(self, request: cri.PortForwardRequest) -> str:
        raise _no_streams()

    async def pull_image(
        self,
        image: str,
        *,
        auth: cri.AuthConfig | None = None,
        sandbox_config: cri.PodSandboxConfig | None = None,
    ) -> str:
        return image_id(image)

    async def image_status(self, image: str) -> cri.Image | None:
        return cri.Image(id=image_id(image))

    async def list_images(self) -> Sequence[cri.Image]:
        return []

    async def remove_image(self, image: str) -> None:
        return

    async def image_fs_info(self) -> Sequence[cri.FilesystemUsage]:
        return []

    # --- within ---

    def container(self, container_id: str) -> Container | None:
        return self._containers.get(container_id)

    def running(self, pod_uid: str, name: str) -> Container | None:
        """The pod's running container of that name."""
        return next((each for each in self._of_pod(pod_uid) if each.name == name and each.running), None)

    def _plan(self, container: Container, *, at_start: bool = False) -> None:
        """Let a running container end when it is to end, counted from its start."""
        seconds, code = self._fate(container)
        if seconds == FOREVER:
            self._shared.timers.cancel(container.id)
            return
        left = seconds - (self._now() - container.started_at) / 1e9
        if left > 0:
            self._shared.timers.set(container.id, left, lambda: self._end_by_itself(container, code))
        elif at_start:
            self._end(container, code)
        else:
            self._end_by_itself(container, code)

    def _fate(self, container: Container) -> tuple[float, int]:
        """Seconds from its start to its end, and the exit code."""
        wishes, run = self._wishes(container), container.run
        if run.seconds == FOREVER and _runs_to_end(wishes.pod, container.name):
            run = Run(0)
        times = wishes.number("crash-times")
        if times is not None and container.attempt >= times:
            return run.seconds, run.exit_code
        crash, code = wishes.seconds("crash-after"), wishes.number("exit-code")
        if crash is not None or times is not None:
            return crash or 0.0, 1 if code is None else code
        after = wishes.seconds("exit-after")
        if after is None and code is not None and run.seconds == FOREVER:
            after = 0.0
        known = run.exit_code if code is None else code
        return (run.seconds if after is None else after), known

    def _end_by_itself(self, container: Container, code: int) -> None:
        self._end(container, code)
        self._shared.ended(container.pod_uid, container.id)

    async def _end_after(self, container: Container, seconds: float, code: int) -> None:
        """Returns when it has ended, be it for another reason."""
        if seconds <= 0:
            self._end(container, code)
            return
        self._shared.slow(container.pod_uid)
        container.ended = container.ended or asyncio.Event()
        timer = f"stop/{container.id}/{seconds:g}"
        self._shared.timers.set(timer, seconds, lambda: self._end(container, code))
        await container.ended.wait()
        self._shared.timers.cancel(timer)

    def _end(self, container: Container, code: int) -> None:
        if not container.running:
            return
        wishes = self._wishes(container)
        reason = wishes.text("exit-reason") or ("Error" if code else "Completed")
        self._finish(container, code, reason, wishes.text("termination-message"))

    def _finish(self, container: Container, code: int, reason: str, message: str) -> None:
        container.state, container.exit_code = cri.CONTAINER_EXITED, code
        container.reason, container.message = reason, message
        container.finished_at = self._now()
        self._shared.timers.cancel(container.id)
        if container.ended is not None:
            container.ended.set()

    async def _pass(self, pod_uid: str, seconds: float) -> None:
        if seconds > 0:
            self._shared.slow(pod_uid)
            await self._shared.clock.sleep(seconds)

    def _wishes(self, container: Container) -> Wishes:
        return Wishes(self._shared.pod(container.pod_uid), container.name)

    def _of_pod(self, pod_uid: str) -> Iterator[Container]:
        return (each for each in self._containers.values() if each.pod_uid == pod_uid)

    def _found(self, container_id: str) -> Container:
        if container_id not in self._containers:
            raise NotFound(f'container "{container_id}": not found', code="NotFound")
        return self._containers[container_id]

    def _now(self) -> int:
        return int(self._shared.clock.now().timestamp() * 1e9)


def _runs_to_end(pod: Object, name: str) -> bool:
    """Whether it is an init container, for whose end the others wait."""
    init = (pod.get("spec") or {}).get("initContainers") or []
    return any(each["name"] == name and not is_sidecar(each) for each in init)


def _containers_of(pod: Object, sandbox: Sandbox) -> Iterator[Container]:
    specs = {each["name"]: each for each in containers_of(pod)}
    for each in statuses_of(pod.get("status") or {}):
        known = specs.get(each["name"])
        if known is None:
            continue
        policy = known.get("terminationMessagePolicy") or "File"
        for container in of_status(
            each, known, pod_uid=sandbox.pod_uid, sandbox_id=sandbox.id, policy=policy
        ):
            container.run = Run() if "env" in known else run_of(_words(known), {})
            yield container


def _words(container: Object) -> list[str]:
    return [*(container.get("command") or []), *(container.get("args") or [])]


def _matches(labels: Mapping[str, str], filter_: cri.PodSandboxFilter | cri.ContainerFilter | None) -> bool:
    wanted = filter_.label_selector if filter_ is not None else {}
    return all(labels.get(key) == value for key, value in wanted.items())


def _in_state(state: int, filter_: cri.PodSandboxFilter | cri.ContainerFilter | None) -> bool:
    return filter_ is None or not filter_.HasField("state") or filter_.state.state == state


def _no_streams() -> Unimplemented:
    return Unimplemented("a virtual container has no streams", code="Unimplemented")
