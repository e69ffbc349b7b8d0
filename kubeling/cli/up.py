"""`kubeling up`: starts the cluster, in the foreground or detached, and shows how it comes up."""

import os
import signal
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from kubeling.cli import console, hints
from kubeling.cli.options import HomeOption
from kubeling.cluster import lock, preflight, settings, stop
from kubeling.cluster.apiclient import ApiClient
from kubeling.cluster.decide import API_PORT, Wishes
from kubeling.cluster.errors import ApiFailed, ClusterError, UsageError
from kubeling.cluster.events import Event
from kubeling.cluster.home import Home, locate
from kubeling.cluster.keys import Pki
from kubeling.cluster.kubeconfig import NAME, admin_document, default_path
from kubeling.cluster.leftover import remove_virtual_nodes
from kubeling.cluster.runstate import RunState, running
from kubeling.cluster.settings import Settings
from kubeling.cluster.start import (
    Started,
    start_supervisor,
    wait_for_node,
    wait_for_server,
    wait_for_virtual_nodes,
)
from kubeling.objects import quantity

SERVER_TIMEOUT = 60.0
NODE_TIMEOUT = 120.0
NO_ROOT = "No root: pods run on virtual nodes, without containers; use sudo for real ones."

DetachOption = Annotated[
    bool,
    typer.Option(
        "--detach", "-d", metavar="", help="Return as soon as the node is ready; the cluster goes on."
    ),
]
PortOption = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=0,
        max=65535,
        show_default=str(API_PORT),
        help="The API server's port; 0 for a free one. Kept for later starts.",
    ),
]
DatastoreOption = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        show_default="a SQLite file in the home",
        help="Where objects are kept: sqlite:////FILE or postgresql://USER@HOST/DATABASE. Kept for later"
        " starts.",
    ),
]
CriEndpointOption = Annotated[
    str | None,
    typer.Option(
        metavar="SOCKET",
        show_default="a private containerd",
        help="A running container runtime to use, which also brings the pods' network. Kept for later"
        " starts; '' is the private one again.",
    ),
]
NoNodeOption = Annotated[
    bool,
    typer.Option(
        "--no-node",
        metavar="",
        help="No real node: only API server and controllers, and virtual nodes that are asked for.",
    ),
]
VirtualNodesOption = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=0,
        max=20000,
        show_default="0; without root 1",
        help="So many nodes whose pods have no containers; they need no root. Kept for later starts.",
    ),
]
VirtualCpuOption = Annotated[
    str | None,
    typer.Option(
        "--virtual-node-cpu", metavar="CPU", show_default="32", help="What each virtual node offers."
    ),
]
VirtualMemoryOption = Annotated[
    str | None,
    typer.Option(
        "--virtual-node-memory", metavar="MEMORY", show_default="256Gi", help="What each virtual node offers."
    ),
]
VirtualLatencyOption = Annotated[
    float | None,
    typer.Option(
        metavar="SECONDS", min=0, show_default="0", help="How long a pod takes to start on a virtual node."
    ),
]
KubeconfigOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        dir_okay=False,
        show_default="the first file of $KUBECONFIG, else ~/.kube/config",
        help="Where to put the context.",
    ),
]


def up(
    home: HomeOption = None,
    detach: DetachOption = False,
    port: PortOption = None,
    datastore: DatastoreOption = None,
    cri_endpoint: CriEndpointOption = None,
    no_node: NoNodeOption = False,
    virtual_nodes: VirtualNodesOption = None,
    virtual_node_cpu: VirtualCpuOption = None,
    virtual_node_memory: VirtualMemoryOption = None,
    virtual_latency: VirtualLatencyOption = None,
    kubeconfig: KubeconfigOption = None,
) -> None:
    """Start the cluster.

    It runs in the foreground until Ctrl-C, or goes on in the background with --detach. Without root, pods run
    on virtual nodes: they become Ready and end as real ones do, but nothing is executed.
    """
    begun = time.monotonic()
    place = locate(home)
    place.require_usable()
    kept = settings.load(place)
    config_file = kubeconfig.absolute() if kubeconfig else default_path()
    for option, given in (("cpu", virtual_node_cpu), ("memory", virtual_node_memory)):
        _check_quantity(f"--virtual-node-{option}", given)
    real = not no_node and (os.geteuid() == 0 or bool(cri_endpoint))
    if virtual_nodes is None and not real:
        virtual_nodes = default_virtual_nodes(kept, no_node=no_node)
    wishes = Wishes(
        port=port,
        datastore=datastore,
        cri_endpoint=cri_endpoint,
        node=real,
        virtual_nodes=virtual_nodes,
        virtual_cpu=virtual_node_cpu,
        virtual_memory=virtual_node_memory,
        virtual_latency=virtual_latency,
        user_kubeconfig=config_file,
    )
    _check_user_config(config_file)
    if detach and kept and (state := running(place)):
        _report_running(place, kept, state, wishes)
        return
    if not (real or no_node):
        console.note(NO_ROOT)
    if wishes.node:
        endpoint = cri_endpoint if cri_endpoint is not None else kept.cri_endpoint if kept else ""
        preflight.check_node(cri_endpoint=endpoint)
    for number in (signal.SIGINT, signal.SIGTERM):  # also where a shell started us with SIGINT ignored
        signal.signal(number, signal.default_int_handler)
    _Launch(place, begun).run(wishes, detach=detach)


def default_virtual_nodes(kept: Settings | None, *, no_node: bool) -> int:
    """How many there are to be where there is no real node, and nobody says how many."""
    if no_node:
        return 0
    return max(kept.virtual_nodes if kept else 0, 1)


class _Launch:
    """One start: begun at a time of time.monotonic()."""

    def __init__(self, home: Home, begun: float) -> None:
        self._home = home
        self._begun = begun

    def run(self, wishes: Wishes, *, detach: bool) -> None:
        started, decided = self._start(wishes, detach=detach)
        try:
            self._wait(started, decided)
            hints.next_commands(decided)
            if not detach:
                self._follow(started)
        except BaseException:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            with console.working("Stopping what was started"):
                stop.stop(self._home)
            raise
        started.release()

    def _start(self, wishes: Wishes, *, detach: bool) -> tuple[Started, Settings]:
        from kubeling.cluster.prepare import prepare

        self._home.create()
        with self._home.writing(), lock.held(self._home) as descriptor:
            stop.end_orphans(self._home)
            decided = prepare(self._home, wishes)
            return start_supervisor(self._home, lock=descriptor, detach=detach), decided

    def _wait(self, started: Started, decided: Settings) -> None:
        client = ApiClient(self._home, decided)
        with console.working("Starting the API server"):
            wait_for_server(started, client, timeout=SERVER_TIMEOUT)
        console.note(f"API server ready at {client.address} ({self._age():.1f} s)")
        if decided.node:
            with console.working(f"Waiting for node {decided.node_name}"):
                wait_for_node(started, client, decided, timeout=NODE_TIMEOUT)
            console.note(f"Node {decided.node_name} ready ({self._age():.1f} s)")
            left = preflight.disk_left(self._home.root)
            if crowded := preflight.crowded_disk(self._home, left=left):
                console.warn(crowded)
        if decided.virtual_nodes:
            count = f"{decided.virtual_nodes} virtual node{'s' if decided.virtual_nodes > 1 else ''}"
            with console.working(f"Registering {count}"):
                wait_for_virtual_nodes(started, client, decided, timeout=NODE_TIMEOUT)
            console.note(f"{count.capitalize()} ready ({self._age():.1f} s)")
        else:
            self._remove_virtual_nodes(client)
        _write_context(self._home, decided)

    def _remove_virtual_nodes(self, client: ApiClient) -> None:
        try:
            count = remove_virtual_nodes(self._home, client)
        except ApiFailed as error:
            console.warn(f"virtual nodes of an earlier start are left: {error.message}")
        else:
            if count:
                console.note(f"Removed {count} virtual node{'s' if count > 1 else ''} of an earlier start")

    def _follow(self, started: Started) -> None:
        """Shows what happens to the processes until they are to end."""
        try:
            console.note("Ctrl-C stops the cluster.")
            while not started.events.closed:
                _show(started.events.wait(None))
        except KeyboardInterrupt:
            self._stop(started)
            return
        raise ClusterError("the supervisor of the cluster ended", hint=f"see {self._home.supervisor_log}")

    def _stop(self, started: Started) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        with console.working("Stopping the cluster"):
            stop.stop(self._home)
            started.process.wait()
        console.note("Stopped.")

    def _age(self) -> float:
        return time.monotonic() - self._begun


def _show(events: Iterable[Event]) -> None:
    for event in events:
        if event.what == "exited":
            console.warn(f"the {event.process} ended ({event.detail}) and will be started again")
        elif event.what == "started":
            console.note(f"The {event.process} has been started.")


def _write_context(home: Home, decided: Settings) -> None:
    from kubeling.cluster import userconfig

    path = Path(decided.user_kubeconfig)
    userconfig.merge(path, admin_document(Pki(home.pki), decided))
    console.note(f'Context "{NAME}" is the current one in {path}')


def _report_running(home: Home, kept: Settings, state: RunState, wishes: Wishes) -> None:
    """Whoever calls `up` again wants a cluster that is ready and a context to reach it."""
    from kubeling.cluster.report import collect

    report = collect(home, kept, state)
    if not report.healthy:
        reason = report.obstacle or next(node.obstacle for node in report.nodes if node.obstacle)
        raise ClusterError(
            f"the cluster is running already, but it is not ready: {reason}",
            hint="see `kubeling status` and `kubeling logs`; `kubeling down` stops it",
        )
    console.note("The cluster is running already.")
    for option in _unheard(kept, wishes):
        console.warn(f"{option} has no effect on a cluster that runs: stop it with `kubeling down` first")
    now = replace(kept, user_kubeconfig=str(wishes.user_kubeconfig))
    settings.save(home, now)
    _write_context(home, now)
    hints.next_commands(now)


def _unheard(kept: Settings, wishes: Wishes) -> list[str]:
    """The options that ask for something else than what runs."""
    differs = {
        "--port": wishes.port not in (None, 0, kept.port),
        "--datastore": wishes.datastore not in (None, kept.datastore),
        "--cri-endpoint": wishes.cri_endpoint not in (None, kept.cri_endpoint, kept.cri_endpoint[7:]),
        "--virtual-nodes": wishes.virtual_nodes not in (None, kept.virtual_nodes),
        "--virtual-node-cpu": wishes.virtual_cpu not in (None, kept.virtual_cpu),
        "--virtual-node-memory": wishes.virtual_memory not in (None, kept.virtual_memory),
        "--virtual-latency": wishes.virtual_latency not in (None, float(kept.virtual_latency)),
        "--no-node": not wishes.node and kept.node,
        "leaving out --no-node": wishes.node and not kept.node,
    }
    return [option for option, is_so in differs.items() if is_so]


def _check_quantity(option: str, given: str | None) -> None:
    """Raises UsageError."""
    try:
        good = given is None or quantity.value(given) > 0
    except ValueError:
        good = False
    if not good:
        raise UsageError(f"{option}: {given!r} is no quantity", hint="for example 8, 500m, 64Gi")


def _check_user_config(path: Path) -> None:
    """Raises KubeconfigError before anything is started; a new machine has neither file nor directory."""
    if path.parent.exists():
        from kubeling.cluster import userconfig

        userconfig.require_writable(path)
