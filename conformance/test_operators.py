"""An operator written with kopf, if that is installed: handlers, progress, finalizers, daemons, events."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from conformance import customs
from conformance.cluster import Cluster
from conformance.customs import Customs
from conformance.rest import MERGE, Rest
from conformance.space import Space
from conformance.waiting import eventually

kopf = pytest.importorskip("kopf", reason="kopf is not installed")


@pytest.fixture
def tabs(rest: Rest, space: Space) -> Iterator[Customs]:
    with customs.opened(rest, space.name) as opened:
        opened.establish()
        yield opened


@pytest.fixture
def operator(cluster: Cluster, tabs: Customs, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What its handlers note, while it runs in a thread."""
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    seen: list[str] = []
    with _running(_registry(tabs, seen.append), tabs.namespace):
        yield seen


def test_an_object_is_handled_from_creation_to_deletion(
    operator: list[str], tabs: Customs, rest: Rest
) -> None:
    path = f"{tabs.collection}/a"
    rest.post(tabs.collection, tabs.tab("a", image="one"))
    eventually(lambda: "retried" in operator and "daemon" in operator, what="it is created", every=0.02)
    found = rest.get(path)
    assert found["metadata"]["finalizers"] == ["kopf.zalando.org/KopfFinalizerMarker"]
    assert found["status"] == {"replicas": 3}
    rest.patch(path, {"spec": {"image": "two"}}, content_type=MERGE)
    eventually(lambda: "one to two" in operator, what="the change is seen", every=0.02)
    rest.delete(path)
    rest.gone(path)
    assert "deleted" in operator
    assert operator.count("created") == 1


def test_what_an_operator_tells_becomes_events(operator: list[str], tabs: Customs, space: Space) -> None:
    tabs.rest.post(tabs.collection, tabs.tab("a", image="one"))
    assert space.event("a", "Hello")["message"] == "from the operator"
    tabs.rest.delete(f"{tabs.collection}/a")
    tabs.rest.gone(f"{tabs.collection}/a")


def _registry(tabs: Customs, note: Callable[[str], object]) -> Any:
    async def created(body: Any, patch: Any, **_: Any) -> None:
        note("created")
        patch.status["replicas"] = 3
        kopf.event(body, type="Normal", reason="Hello", message="from the operator")

    async def retried(retry: int, **_: Any) -> None:
        if retry < 1:
            raise kopf.TemporaryError("not yet", delay=0.1)
        note("retried")

    async def changed(old: Any, new: Any, **_: Any) -> None:
        note(f"{old} to {new}")

    async def deleted(**_: Any) -> None:
        note("deleted")

    async def accompanied(stopped: Any, **_: Any) -> None:
        note("daemon")
        await stopped.wait(60)

    registry = kopf.OperatorRegistry()
    known = {"registry": registry}
    of_tabs = (tabs.group, "v1", "crontabs")
    kopf.on.login(**known)(_login)
    kopf.on.create(*of_tabs, id="created", **known)(created)
    kopf.on.create(*of_tabs, id="retried", **known)(retried)
    kopf.on.field(*of_tabs, id="changed", field="spec.image", **known)(changed)
    kopf.on.delete(*of_tabs, id="deleted", **known)(deleted)
    kopf.daemon(*of_tabs, id="accompanied", **known)(accompanied)
    return registry


async def _login(**options: Any) -> Any:
    """By the kubeconfig file, whatever other clients are installed."""
    return kopf.login_with_kubeconfig(**options)


@contextmanager
def _running(registry: Any, namespace: str) -> Iterator[None]:
    ready, stop = threading.Event(), threading.Event()
    settings = kopf.OperatorSettings()
    options = {"registry": registry, "settings": settings, "namespaces": [namespace], "standalone": True}

    def run() -> None:
        asyncio.run(kopf.operator(**options, ready_flag=ready, stop_flag=stop))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(20), "the operator did not start"
    try:
        yield
    finally:
        stop.set()
        thread.join(20)
