"""The private containerd of a node: configure, start or adopt, keep alive, stop.

It runs in its own session with its own root, state and socket, so it and the containers outlive the agent;
the next agent finds it by its pid file. Not responsible for pods (stop them before `stop`).
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kubeling.objects.clock import Clock, SystemClock
from runtime.cri import machine
from runtime.cri.client import CriRuntime
from runtime.cri.containerd_config import ContainerdSettings, render
from runtime.cri.orphans import NetworkRemains, Orphans
from runtime.cri.private_runtime import PrivateRuntime
from runtime.cri.process import Daemon
from runtime.errors import MachineNotReady, RuntimeServiceError

logger = logging.getLogger(__name__)

READY_TIMEOUT = 30.0  # seconds; it takes some hundredths normally
STOP_GRACE = 10.0  # seconds
STEADY_AFTER = 20.0  # seconds of life after which a death counts as the first again
BACKOFF = (0.0, 0.5, 1.0, 2.0, 5.0)  # seconds
_POLL = 0.01  # seconds


@dataclass(frozen=True, kw_only=True)
class ContainerdPaths:
    """Where a private containerd lives. `root` is on disk, `state` short and best on a tmpfs."""

    root: Path  # …/node/containerd
    state: Path  # /run/kubeling/<hash>
    log: Path
    cni_conf: Path
    registry_hosts: Path
    """One directory per registry with a hosts.toml: mirrors, plain HTTP, certificates."""
    cni_leases: Path

    @property
    def socket(self) -> Path:
        return self.state / "containerd.sock"

    @property
    def endpoint(self) -> str:
        return f"unix://{self.socket}"

    @property
    def config(self) -> Path:
        return self.root / "config.toml"

    @property
    def data(self) -> Path:
        """containerd's own: blobs, snapshots, its database."""
        return self.root / "root"

    @property
    def pid_file(self) -> Path:
        return self.state / "containerd.pid"

    @property
    def orphans(self) -> Orphans:
        state, tasks = self.state / "containerd", Path("io.containerd.runtime.v2.task", "k8s.io")
        return Orphans(
            socket=self.socket,
            tasks=state / tasks,
            work=self.root / "root" / tasks,
            namespaces=state / "io.containerd.grpc.v1.cri" / "netns",
            leases=self.cni_leases,
        )


class PrivateContainerd:
    """One private containerd.

    `start` once, then `supervise` as a background task; `stop` to shut the node down, `release` to leave
    containerd running for the next agent.
    """

    def __init__(
        self,
        paths: ContainerdPaths,
        *,
        cni_bin: Sequence[str],
        sandbox_image: str,
        clock: Clock | None = None,
    ) -> None:
        self.paths = paths
        self.snapshotter = "overlayfs"
        self._cni_bin = cni_bin
        self._sandbox_image = sandbox_image
        self._clock = clock or SystemClock()
        self._daemon: Daemon | None = None

    @property
    def endpoint(self) -> str:
        return self.paths.endpoint

    async def start(self) -> bool:
        """Adopt the containerd of an earlier run or start one; returns whether it was adopted.

        Returns when its CRI answers. Raises MachineNotReady when something is missing or it does not start.
        """
        changed = await asyncio.to_thread(self._configure)
        self._daemon = Daemon.adopt(self._command(), pid_file=self.paths.pid_file)
        if self._daemon is not None and (changed or not await self._answers()):
            logger.info("restarting containerd (pid %d)", self._daemon.pid)
            await self._end()
        if self._daemon is not None:
            logger.info("adopted containerd (pid %d)", self._daemon.pid)
            await self._end_orphans()
            return True
        await self._launch()
        return False

    async def supervise(self) -> None:
        """Restart containerd whenever it ends, with backoff; runs until cancelled."""
        deaths = 0
        while True:
            assert self._daemon is not None, "supervise before start"
            born = self._clock.monotonic()
            await self._daemon.wait()
            deaths = 1 if self._clock.monotonic() - born > STEADY_AFTER else deaths + 1
            delay = BACKOFF[min(deaths, len(BACKOFF)) - 1]
            logger.error("containerd (pid %d) has ended; next start in %g s", self._daemon.pid, delay)
            await self._clock.sleep(delay)
            try:
                await self._launch()
            except (MachineNotReady, OSError) as error:  # a full disk, too
                logger.error("containerd cannot be started: %s", error)

    async def stop(self) -> None:
        """End containerd. Cancel `supervise` before."""
        await self._end()
        self.paths.pid_file.unlink(missing_ok=True)

    def release(self) -> None:
        """Leave containerd running on its own."""
        if self._daemon is not None:
            self._daemon.close()
            self._daemon = None

    async def _end(self) -> None:
        if self._daemon is not None:
            await self._daemon.end(grace=STOP_GRACE)
            self.release()

    def _configure(self) -> bool:
        """Write config.toml; returns whether it differs from what was there."""
        machine.require_binaries()
        for directory in (self.paths.root, self.paths.state, self.paths.cni_conf, self.paths.registry_hosts):
            directory.mkdir(parents=True, exist_ok=True)
        self.paths.state.chmod(0o711)
        old = self.paths.config.read_text() if self.paths.config.exists() else ""
        self.snapshotter = self._choose_snapshotter(old)
        major, _ = machine.containerd_version()
        text = render(self._settings(), major_version=major)
        if text == old:
            return False
        draft = self.paths.config.with_suffix(".draft")
        draft.write_text(text)
        draft.replace(self.paths.config)
        return True

    def _choose_snapshotter(self, configuration: str) -> str:
        """What was chosen first stays: the images are there, and a full disk would let the trial fail."""
        for each in ("overlayfs", "native"):
            if f'snapshotter = "{each}"' in configuration:
                return each
        return "overlayfs" if machine.overlay_works(self.paths.root) else "native"

    def _settings(self) -> ContainerdSettings:
        return ContainerdSettings(
            root=self.paths.data,
            state=self.paths.state / "containerd",
            socket=self.paths.socket,
            cni_bin=machine.find_cni_dir(self._cni_bin),
            cni_conf=self.paths.cni_conf,
            registry_hosts=self.paths.registry_hosts,
            sandbox_image=self._sandbox_image,
            snapshotter=self.snapshotter,
            handlers=machine.runtime_handlers(),
            restrict_oom_score_adj=not machine.has_capability(machine.CAP_SYS_RESOURCE),
        )

    def _command(self) -> list[str]:
        return [machine.find_binary("containerd"), "--config", str(self.paths.config)]

    async def _launch(self) -> None:
        self.paths.socket.unlink(missing_ok=True)
        self.paths.log.parent.mkdir(parents=True, exist_ok=True)
        await asyncio.to_thread(self.paths.orphans.forget_work)
        remains = await asyncio.to_thread(self.paths.orphans.network)
        before, started = self._daemon, self._clock.now().timestamp()
        self._daemon = Daemon.start(self._command(), log=self.paths.log, pid_file=self.paths.pid_file)
        if before is not None:
            before.close()
        logger.info("started containerd (pid %d)", self._daemon.pid)
        await self._wait_ready()
        await self._end_orphans(remains, started=started)

    async def _end_orphans(self, remains: NetworkRemains | None = None, *, started: float = 0.0) -> None:
        async with PrivateRuntime(self.paths.orphans, clock=self._clock) as runtime:
            try:
                await runtime.end_orphans(remains, started=started)
            except RuntimeServiceError as error:
                logger.warning("what containerd has lost sight of is left until its next start: %s", error)

    async def _wait_ready(self) -> None:
        assert self._daemon is not None
        deadline = self._clock.monotonic() + READY_TIMEOUT
        while self._clock.monotonic() < deadline:
            if not self._daemon.alive():
                raise MachineNotReady(f"containerd ended while starting: see {self.paths.log}")
            if self.paths.socket.exists() and await self._answers():
                return
            await self._clock.sleep(_POLL)
        raise MachineNotReady(f"containerd did not answer within {READY_TIMEOUT:g} s: see {self.paths.log}")

    async def _answers(self) -> bool:
        """Whether CRI is served and initialized."""
        async with CriRuntime(self.endpoint, clock=self._clock) as runtime:
            try:
                await runtime.status()
            except RuntimeServiceError:
                return False
            return True
