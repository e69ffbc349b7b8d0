"""The node agent's composition: containerd, the API client, the Node object, the pods, the kubelet API.

What can start side by side does: containerd comes up while the node registers. `run` is the node's life;
`release` leaves everything running for the next agent, `shut_down` takes it all down.
"""

import asyncio
import logging
import os
from functools import partial
from pathlib import Path

from kubeling.client.alarms import Alarms
from kubeling.client.event_recorder import EventRecorder
from kubeling.client.http import HttpClient
from kubeling.client.resources import NODES, PODS, SERVICES
from kubeling.objects import quantity
from kubeling.objects.clock import Clock, SystemClock
from kubeling.objects.tasks import Tasks
from runtime.config import Config
from runtime.cri.client import CriRuntime
from runtime.cri.containerd import ContainerdPaths, PrivateContainerd
from runtime.cri.containerd_log import ContainerdLog
from runtime.cri.private_runtime import PrivateRuntime
from runtime.cri.snapshots import Snapshots
from runtime.images import ingests
from runtime.images.folder import ImageFolder
from runtime.images.load import ImageLoader
from runtime.images.pause import PAUSE_IMAGE
from runtime.images.pull import ImagePuller
from runtime.images.pull_records import PullRecords
from runtime.images.view import ImageViews
from runtime.network.bridge import PodNetwork
from runtime.network.setup import clean_up
from runtime.node import pod_network
from runtime.node.allocatable import allocatable, enforced
from runtime.node.api.listener import KubeletApi
from runtime.node.enforcement import enforce
from runtime.node.graceful_shutdown import NODE_MESSAGE, end_pods, shutdown_groups
from runtime.node.housekeeping import Housekeeping
from runtime.node.kubelet_api import kubelet_api
from runtime.node.lease import NodeLease
from runtime.node.machine import Machine, look_around, page_size_names
from runtime.node.node_events import NodeEvents
from runtime.node.node_object import NodeFacts
from runtime.node.node_reporter import NodeReporter
from runtime.node.oom_watch import watch_oom
from runtime.node.runtime_health import RuntimeHealth
from runtime.node.shutdown import stop_all
from runtime.pods import abilities
from runtime.pods.agent import PodAgent
from runtime.pods.backoff import crash_backoff
from runtime.pods.cgroups.pod_cgroups import NodeCgroups
from runtime.pods.cgroups.resources import ResourceRules
from runtime.pods.cgroups.tree import CgroupTree
from runtime.pods.context import NodeContext
from runtime.pods.object_sources import ObjectSources
from runtime.pods.sandbox import dns
from runtime.pods.tally import Tally
from runtime.static.folder import ManifestFolder
from runtime.static.static_pods import StaticPods
from runtime.stats.agent_subjects import AgentSubjects
from runtime.stats.cgroup import cgroups
from runtime.stats.statistics import Statistics
from runtime.volumes import root
from runtime.volumes.account_tokens import AccountTokens
from runtime.volumes.claims import Claims
from runtime.volumes.pod_certificates import PodCertificates
from runtime.volumes.volumes import Volumes

logger = logging.getLogger(__name__)

EVENT_SENDERS = 2
"""Events go one by one: what a pod's status says is more urgent."""
HALF_DONE = 2.0
"""Seconds that steps in the middle get to end when the agent ends."""


class NodeAgent:
    """Make it inside a running event loop; end it with `release` or `shut_down`."""

    def __init__(self, config: Config, *, clock: Clock | None = None) -> None:
        """Raises: KubeconfigError."""
        self._config = config
        self._clock = clock or SystemClock()
        self._tasks = Tasks("node")
        self._client = HttpClient.from_kubeconfig(config.kubeconfig, clock=self._clock, user_agent="kubelet")
        self._recorder = EventRecorder(
            self._client, "kubelet", clock=self._clock, host=config.node_name, senders=EVENT_SENDERS
        )
        config.root.mkdir(parents=True, exist_ok=True)
        self._machine = look_around(config.root)
        facts = _facts(config, self._machine)
        tree = CgroupTree()
        self._rules = _rules(config, self._machine, tree)
        self._cgroups = NodeCgroups(self._rules, self._clock, tree)
        self._events = NodeEvents(self._recorder, config.node_name)
        self._reporter = NodeReporter(self._client, self._clock, facts, self._events)
        self._containerd = None if config.cri_endpoint else _private_containerd(config, self._clock)
        self._runtime = _runtime(config, self._containerd, self._clock)
        self._network: PodNetwork | None = None
        self._pods: PodAgent | None = None
        self._loader: ImageLoader | None = None
        self._api: KubeletApi | None = None
        self._health: asyncio.Task[None] | None = None
        self._shutting_down = False
        self._statistics: Statistics | None = None
        self._tally = Tally()
        self._pull_records = _pull_records(config)

    async def run(self) -> None:
        """Until cancelled.

        Raises:
            MachineNotReady: the machine lacks something; the text says what to do.
        """
        self._events.normal("Starting", "Starting kubelet.")
        limits = enforced(self._machine, self._config.kubelet)
        self._tasks.start(enforce(self._cgroups, limits, self._events, self._clock), name="cgroups")
        self._tasks.start(watch_oom(self._events), name="oom")
        looked = asyncio.Event()
        self._tasks.start(self._join(looked), name="join")
        await self._start_runtime()
        nodes = self._client.informer(NODES, field_selector=f"metadata.name={self._config.node_name}")
        nodes.add_handler(self._reporter.overruled)
        if self._containerd is not None:
            self._network = await pod_network.bring_up(self._config, nodes, self._tasks)
        health = RuntimeHealth(self._runtime, self._reporter, self._clock)
        await health.look()  # before the first report: a node that was ready stays so when its agent restarts
        await asyncio.to_thread(root.begin, self._config.root)
        self._pods = self._make_pod_agent()
        self._statistics = self._make_statistics(self._pods)
        housekeeping = self._make_housekeeping(self._pods, self._statistics)
        await housekeeping.evictor.notice()  # and one that was short of something still is
        self._api = self._make_api(self._pods, self._statistics)
        await self._api.start()
        looked.set()
        self._health = self._tasks.start(health.run(), name="health")
        housekeeping.start(self._tasks)
        if self._loader is not None:
            self._loader.loaded = self._pods.images_arrived
            self._tasks.start(self._make_image_folder(self._loader).run(), name="image-folder")
        await self._pods.run()

    async def _join(self, looked: asyncio.Event) -> None:
        """Register, and from then on tell that the node lives, and how it is. Nothing else waits for the
        server: pods that run go on, and those of the node's own are started.
        """
        node = await self._reporter.register()
        self._tasks.start(NodeLease(self._client, self._clock, node).run(), name="lease")
        self._tasks.start(self._reporter.beat(), name="heartbeat")
        await looked.wait()
        self._tasks.start(self._reporter.run(), name="report")

    async def release(self) -> None:
        """End the agent alone."""
        await self._end_work()
        if self._containerd is not None:
            self._containerd.release()
        await self._close()

    async def shut_down(self) -> None:
        """End the node: its containers, its network, its containerd."""
        await self._end_pods()
        await self._end_work()
        await stop_all(self._runtime)
        if self._network is not None:
            await asyncio.to_thread(
                clean_up, self._network, data_dir=pod_network.leases_directory(self._config)
            )
        if self._containerd is not None:
            await self._containerd.stop()
        await asyncio.to_thread(root.end, self._config.root)
        await self._close()

    async def _end_pods(self) -> None:
        groups = shutdown_groups(self._config.kubelet)
        if not groups or self._pods is None or self._health is None:
            return
        self._shutting_down = True
        self._health.cancel()
        self._reporter.change(problem=NODE_MESSAGE)
        await end_pods(self._pods.workers, groups, self._clock)

    async def _start_runtime(self) -> None:
        if self._containerd is not None:
            await self._containerd.start()
            self._tasks.start(self._containerd.supervise(), name="containerd")
            log = ContainerdLog(self._containerd.paths.log, self._clock)
            self._tasks.start(log.run(), name="containerd-log")
            await asyncio.to_thread(_empty, self._config.scratch)
            self._loader = ImageLoader(
                self._containerd.endpoint,
                self._runtime,
                root=self._containerd.paths.data,
                snapshotter=self._containerd.snapshotter,
                clock=self._clock,
            )
            await self._loader.ensure_pause_image()
        version = await self._runtime.version()
        self._reporter.change(runtime_version=f"{version.runtime_name}://{version.runtime_version}")

    def _make_pod_agent(self) -> PodAgent:
        config, clock = self._config, self._clock
        alarms = Alarms[tuple[str, str]](clock, self._tasks, lambda key: agent.wake(key))
        sources = ObjectSources(self._client, clock, self._tasks, lambda uid: agent.sources_changed(uid))
        context = NodeContext(
            runtime=self._runtime,
            client=self._client,
            clock=clock,
            recorder=self._recorder,
            puller=self._make_puller(),
            sources=sources,
            services=self._client.informer(SERVICES),
            volumes=Volumes(clock, self._image_views()),
            claims=Claims(self._client, config.node_name),
            tokens=AccountTokens(self._client, clock),
            certificates=PodCertificates(
                self._client, clock, config.node_name, lambda uid: agent.sources_changed(uid)
            ),
            alarms=alarms,
            root=config.root,
            node_name=config.node_name,
            host_ips=(config.node_ip,),
            node=self._reporter,
            rules=self._rules,
            cgroups=self._cgroups,
            allocatable=allocatable(self._machine, config.kubelet),
            resolv_conf=partial(dns.read, config.kubelet.resolv_conf),
            kubelet=config.kubelet,
            crashes=crash_backoff(config.kubelet),
            shutting_down=lambda: self._shutting_down,
            pressures=lambda: self._reporter.facts.pressures,
            tally=self._tally,
            abilities=abilities.of_machine(self._machine.kernel, lambda: self._reporter.facts.features),
        )
        pods = self._client.informer(PODS, field_selector=f"spec.nodeName={config.node_name}")
        folder = ManifestFolder(_manifests(config), config.node_name, clock)
        static = StaticPods(folder, self._client, clock, pods)
        agent = PodAgent(_watched(context), pods, static)
        return agent

    def _make_image_folder(self, loader: ImageLoader) -> ImageFolder:
        memory = self._config.root / "imported-images.json"
        return ImageFolder(
            self._config.home / "images", loader, self._events, memory=memory, scratch=self._config.scratch
        )

    def _make_puller(self) -> ImagePuller:
        config, containerd = self._config, self._containerd
        progress = (
            partial(asyncio.to_thread, ingests.progress, containerd.paths.data)
            if containerd is not None
            else None
        )
        return ImagePuller(
            self._runtime, self._clock, config.kubelet, records=self._pull_records, progress=progress
        )

    def _make_statistics(self, pods: PodAgent) -> Statistics:
        return Statistics(
            self._runtime,
            AgentSubjects(pods),
            cgroups(),
            self._clock,
            root=self._config.root,
            memory=self._machine.memory,
            socket=self._runtime.endpoint.removeprefix("unix://"),
        )

    def _make_housekeeping(self, pods: PodAgent, statistics: Statistics) -> Housekeeping:
        return Housekeeping(
            self._runtime,
            pods,
            statistics,
            self._clock,
            settings=self._config.kubelet,
            events=self._events,
            reporter=self._reporter,
            tally=self._tally,
            records=self._pull_records,
            root=self._config.root,
        )

    def _make_api(self, pods: PodAgent, statistics: Statistics) -> KubeletApi:
        return kubelet_api(
            self._config,
            machine=self._machine,
            runtime=self._runtime,
            client=self._client,
            agent=pods,
            tally=self._tally,
            statistics=statistics,
            loader=self._loader,
            clock=self._clock,
        )

    def _image_views(self) -> ImageViews | None:
        """A runtime that was there already mounts images itself, if it can."""
        if self._containerd is None:
            return None
        snapshots = Snapshots(self._runtime.channel, self._containerd.snapshotter)
        return ImageViews(self._runtime, snapshots, self._clock)

    async def _end_work(self) -> None:
        if self._api is not None:
            await self._api.stop()
        if self._pods is not None:
            await self._pods.stop(within=HALF_DONE)
        if self._statistics is not None:
            await self._statistics.stop()
        await self._tasks.stop()

    async def _close(self) -> None:
        await self._recorder.close()
        await self._client.close()
        await self._runtime.close()


def _watched(context: NodeContext) -> NodeContext:
    """For tests that kill the agent at a certain step; else it is what it was."""
    directory = os.environ.get("KUBELING_STEPS")
    if not directory:
        return context
    from runtime.pods.steps import watched

    return watched(context, Path(directory))


def _manifests(config: Config) -> Path:
    """Where static pods come from; the default is made, so that files need only be put there."""
    if config.kubelet.static_pod_path:
        return Path(config.kubelet.static_pod_path)
    default = config.home / "manifests"
    default.mkdir(exist_ok=True)
    return default


def _facts(config: Config, machine: Machine) -> NodeFacts:
    return NodeFacts(
        name=config.node_name,
        address=config.node_ip,
        port=config.port,
        machine=machine,
        kubelet=config.kubelet,
    )


def _rules(config: Config, machine: Machine, tree: CgroupTree) -> ResourceRules:
    return ResourceRules(
        kubelet=config.kubelet,
        memory_capacity=machine.memory,
        memory_allocatable=quantity.value(allocatable(machine, config.kubelet)["memory"]),
        swap=machine.swap,
        page_sizes=page_size_names(),
        unified=tree.unified,
        swap_counted=tree.counts_swap,
    )


def _empty(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for file in directory.iterdir():
        file.unlink()


def _pull_records(config: Config) -> PullRecords:
    return PullRecords(
        config.root / "image_manager",
        policy=config.kubelet.image_pull_credentials_verification_policy,
        allowlist=config.kubelet.preloaded_images_verification_allowlist,
    )


def _runtime(config: Config, containerd: PrivateContainerd | None, clock: Clock) -> CriRuntime:
    patience = config.kubelet.runtime_request_timeout
    if containerd is None:
        return CriRuntime(config.cri_endpoint, clock=clock, patience=patience)
    return PrivateRuntime(containerd.paths.orphans, clock=clock, patience=patience)


def _private_containerd(config: Config, clock: Clock) -> PrivateContainerd:
    paths = ContainerdPaths(
        root=config.root / "containerd",
        state=config.state,
        log=config.home / "logs" / "containerd.log",
        cni_conf=pod_network.cni_directory(config),
        registry_hosts=config.home / "registries",
        cni_leases=pod_network.leases_directory(config),
    )
    return PrivateContainerd(paths, cni_bin=config.cni_bin, sandbox_image=PAUSE_IMAGE, clock=clock)
