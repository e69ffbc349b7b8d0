"""Fixtures for pytest, there wherever kubeling is installed: a cluster of processes for the whole session.

    kubeling_cluster      session   a running cluster: `kubeconfig`, `url`, `home`
    kubeling_kubeconfig   session   the path of its kubeconfig
    kubeling_namespace    test      the name of a new namespace, which goes with the test

Nothing is started before a test asks for it. `--kubeling-virtual-nodes N` says how many nodes it has.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from kubeling.testing.processes import ClusterProcesses


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("kubeling")
    group.addoption(
        "--kubeling-virtual-nodes", type=int, default=1, help="nodes of the cluster that tests ask for (1)"
    )


@pytest.fixture(scope="session")
def kubeling_cluster(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> "Iterator[ClusterProcesses]":
    """A cluster of virtual nodes, ready in about a second; it needs neither root nor images."""
    from kubeling.testing.processes import started

    nodes = request.config.getoption("--kubeling-virtual-nodes")
    with started(tmp_path_factory.mktemp("kubeling"), virtual_nodes=nodes) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def kubeling_kubeconfig(kubeling_cluster: "ClusterProcesses") -> Path:
    return kubeling_cluster.kubeconfig


@pytest.fixture
def kubeling_namespace(kubeling_cluster: "ClusterProcesses") -> Iterator[str]:
    """A namespace of the test's own, in which pods may be created."""
    with kubeling_cluster.namespace() as name:
        yield name
