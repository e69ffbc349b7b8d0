"""`kubeling status`: shows which processes run, where they listen, how the node is."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from enum import StrEnum
from typing import Annotated, Any

import typer

from kubeling.cli import console
from kubeling.cli.options import HomeOption, require_running
from kubeling.cluster.errors import NotRunning
from kubeling.cluster.home import locate
from kubeling.cluster.report import ClusterReport, NodeReport, ProcessReport


class Output(StrEnum):
    text = "text"
    json = "json"


def status(
    home: HomeOption = None,
    output: Annotated[Output, typer.Option("--output", "-o", help="How to print it.")] = Output.text,
) -> None:
    """Show the cluster's processes, addresses and nodes.

    The exit code is 3 if it does not run, 1 if it is not healthy.
    """
    from kubeling.cluster.report import collect

    place = locate(home)
    try:
        report = collect(place, *require_running(place))
    except NotRunning:
        if output is Output.json:
            console.say(json.dumps({"home": str(place.root), "running": False, "processes": {}}))
        raise
    if output is Output.json:
        console.say(json.dumps(_document(report), indent=2))
    else:
        _print(report)
    if not report.healthy:
        raise typer.Exit(1)


def _document(report: ClusterReport) -> dict[str, Any]:
    return {"running": True, "healthy": report.healthy, **asdict(report)}


def _print(report: ClusterReport) -> None:
    versions = f"kubeling {report.version}, Kubernetes {report.kubernetes or 'unknown'}"
    for title, text in (
        ("Home", report.home),
        ("Versions", versions),
        ("API server", f"{', '.join(report.api_servers)} ({report.obstacle or 'ready'})"),
        ("Kubeconfig", report.kubeconfig),
        ("Datastore", report.datastore),
        ("Networks", f"pods {report.pod_cidr}, services {report.service_cidr}"),
    ):
        console.say(f"{title + ':':<12} {text}")
    for line in _nodes(report.nodes):
        console.say(f"{'Node:':<12} {line}")
    console.say(f"\n{'PROCESS':<12} {'PID':>8} {'MEMORY':>10} {'RESTARTS':>9}  LAST EXIT")
    for name, process in report.processes.items():
        console.say(_process(name, process))


def _nodes(nodes: Sequence[NodeReport]) -> Iterator[str]:
    """A line for each, but one for all virtual nodes that are alike."""
    alike: dict[tuple[str, str], list[str]] = {}
    for node in nodes:
        if node.virtual:
            alike.setdefault((node.obstacle, node.kubelet), []).append(node.name)
        else:
            yield _node(node)
    for (obstacle, kubelet), names in alike.items():
        some = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
        state = f"NotReady: {obstacle}" if obstacle else "Ready"
        yield f"{len(names)} virtual {state} ({some}; {kubelet})"


def _node(node: NodeReport) -> str:
    state = f"NotReady: {node.obstacle}" if node.obstacle else "Ready"
    details = ", ".join(filter(None, (node.address, node.kubelet, node.runtime)))
    return f"{node.name} {state} ({details})" + _pressures(node)


def _pressures(node: NodeReport) -> str:
    if not node.pressures:
        return ""
    held = " and ".join(node.pressures)
    return f"\n{'':<12} {held}: pods are refused or evicted, `kubectl describe node {node.name}` says why"


def _process(name: str, process: ProcessReport) -> str:
    pid = str(process.pid or "-")
    memory = f"{process.resident / 2**20:.0f} MiB" if process.resident else "-"
    last = process.last_exit or "-"
    return f"{name:<12} {pid:>8} {memory:>10} {process.restarts:>9}  {last}"
