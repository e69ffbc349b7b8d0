"""Options and fixtures: the cluster under test, a namespace per test, the clients.

Not here: what they do (`conformance.cluster`, `.space`, `.kubectl`, `.rest`).
"""

import gc
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from kubernetes import client
from kubernetes.config import new_client_from_config

from conformance import cluster as clusters
from conformance import kubectl as kubectls
from conformance import pods, processes
from conformance import rest as rests
from conformance import space as spaces
from conformance.absence import absent
from conformance.cluster import Cluster
from conformance.kubectl import Kubectl
from conformance.rest import Rest
from conformance.space import Space
from conformance.steps import VARIABLE, Steps


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("conformance")
    group.addoption("--kubeconfig", type=Path, help="the cluster to test (default: one started for this run)")
    group.addoption("--image", default="busybox", help="with --kubeconfig: an image with busybox in it")
    group.addoption("--tool-image", default="", help="with --kubeconfig: an image of conformance.toolimage")
    group.addoption("--kubectl", action="append", default=[], help="a kubectl to test with; may be repeated")
    group.addoption("--pods", type=int, default=20, help="how many run at once on one node (at most 108)")
    group.addoption("--one-by-one", action="store_true", help="kill the agent for each step alone (minutes)")


def pytest_configure(config: pytest.Config) -> None:
    """The official client leaves its websockets to the garbage collector."""
    config.addinivalue_line("filterwarnings", "ignore:unclosed:ResourceWarning")


@pytest.hookimpl(tryfirst=True)
def pytest_unconfigure() -> None:
    """The other clients leave theirs as well; here nobody takes it for a failure of a test."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "kubectl_program" in metafunc.fixturenames:
        programs = kubectls.extremes(metafunc.config.getoption("--kubectl")) or [""]
        names = [".".join(map(str, kubectls.version(program)[:2])) or "none" for program in programs]
        metafunc.parametrize("kubectl_program", programs, ids=names)


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    kubeconfig = request.config.getoption("--kubeconfig")
    if kubeconfig:
        images = [request.config.getoption(name) for name in ("--image", "--tool-image")]
        yield Cluster(kubeconfig.absolute(), images[0], containers=True, tools=images[1])
        return
    with clusters.started(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def steps(tmp_path_factory: pytest.TempPathFactory) -> Steps:
    """At which steps of pods' lives the agent of `fragile` stands still."""
    return Steps(tmp_path_factory.mktemp("steps"))


@pytest.fixture(scope="session")
def fragile(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, steps: Steps
) -> Iterator[Cluster]:
    """A cluster to break, beside the one that the other tests use."""
    if request.config.getoption("--kubeconfig"):
        pytest.skip("only clusters that the suite itself has started are broken")
    if clusters.lacking():
        absent(clusters.lacking())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, str(steps.directory))
        directory = tmp_path_factory.mktemp("fragile")
        (directory / "static").mkdir()
        with clusters.started(directory, kubelet=f"staticPodPath: {directory}/static") as cluster:
            yield cluster


@pytest.fixture
def room(fragile: Cluster) -> Iterator[Space]:
    """A namespace in the cluster to break, with a pod `witness` that has spoken and goes on."""
    with spaces.opened(processes.answering(fragile), fragile.image) as space:
        space.run_ready("witness", "echo here; " + pods.IDLE, restartPolicy="Always")
        yield space


@pytest.fixture(scope="session")
def containers(cluster: Cluster) -> None:
    """For tests of which real containers are a part."""
    if not cluster.containers:
        absent(clusters.lacking() or "the cluster runs no containers")


@pytest.fixture(scope="session")
def rest(cluster: Cluster) -> Rest:
    return rests.connect(cluster.kubeconfig)


@pytest.fixture
def space(cluster: Cluster, rest: Rest) -> Iterator[Space]:
    with spaces.opened(rest, cluster.image, cluster.tools) as space:
        yield space


@pytest.fixture(scope="module")
def shared_space(cluster: Cluster, rest: Rest) -> Iterator[Space]:
    """For the pods that all tests of a module only look at."""
    with spaces.opened(rest, cluster.image, cluster.tools) as space:
        yield space


@pytest.fixture(scope="session")
def newest(request: pytest.FixtureRequest) -> str:
    programs = kubectls.found(request.config.getoption("--kubectl"))
    if not programs:
        pytest.skip("no kubectl 1.27 or newer found")
    return programs[-1]


@pytest.fixture(scope="session")
def admin(cluster: Cluster, newest: str, tmp_path_factory: pytest.TempPathFactory) -> Kubectl:
    """The newest kubectl, in the namespace `default`."""
    return Kubectl(newest, cluster.kubeconfig, tmp_path_factory.mktemp("kubectl-cache"))


@pytest.fixture
def kubectl(admin: Kubectl, space: Space) -> Kubectl:
    """The newest kubectl, in the test's namespace."""
    return admin.within(space.name)


@pytest.fixture
def each_kubectl(admin: Kubectl, kubectl_program: str, space: Space) -> Kubectl:
    """The oldest and the newest kubectl in turn, as they speak different stream protocols."""
    label = "-".join(map(str, kubectls.version(kubectl_program)))
    return replace(admin, program=kubectl_program, cache=admin.cache / label, namespace=space.name)


@pytest.fixture(scope="session")
def core(cluster: Cluster) -> client.CoreV1Api:
    """The official Python client."""
    return client.CoreV1Api(new_client_from_config(str(cluster.kubeconfig)))


@pytest.fixture(scope="session")
def virtual(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster of six virtual nodes, where nothing is executed. With --kubeconfig, the one given."""
    kubeconfig = request.config.getoption("--kubeconfig")
    if kubeconfig:
        yield Cluster(kubeconfig.absolute(), request.config.getoption("--image"), containers=True)
        return
    with clusters.started(tmp_path_factory.mktemp("virtual"), virtual_nodes=6) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def virtual_rest(virtual: Cluster) -> Rest:
    return rests.connect(virtual.kubeconfig)


@pytest.fixture
def virtual_space(virtual: Cluster, virtual_rest: Rest) -> Iterator[Space]:
    """A namespace of the test's own on virtual nodes."""
    with spaces.opened(virtual_rest, virtual.image) as space:
        yield space


@pytest.fixture
def virtual_kubectl(
    virtual: Cluster, newest: str, virtual_space: Space, tmp_path_factory: pytest.TempPathFactory
) -> Kubectl:
    """The newest kubectl, in the test's namespace on virtual nodes."""
    cache = tmp_path_factory.getbasetemp() / "virtual-kubectl-cache"
    return Kubectl(newest, virtual.kubeconfig, cache, virtual_space.name)


@pytest.fixture(scope="session")
def virtual_core(virtual: Cluster) -> client.CoreV1Api:
    """The official Python client, for the cluster of virtual nodes."""
    return client.CoreV1Api(new_client_from_config(str(virtual.kubeconfig)))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """A failure shows the ends of the cluster's logs, of a cluster that we started."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    used = getattr(item, "funcargs", {})
    cluster = used.get("cluster") or used.get("fragile") or used.get("virtual")
    if report.failed and isinstance(cluster, Cluster) and cluster.home:
        report.sections.append(("cluster's logs", cluster.logs()))
