"""Watches that are cut off and resumed: nothing lost, nothing twice; ends at the time asked for."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from kubernetes import watch

from conformance import churn
from conformance.churn import Event, Watcher, Writer
from conformance.cluster import Cluster
from conformance.space import Space

STEPS = 400


@pytest.fixture(scope="module")
def churned(cluster: Cluster, shared_space: Space) -> tuple[Writer, list[Watcher], Any]:
    """A writer and three watchers have come to their ends; the third sees a part by its selector."""
    api = churn.core(cluster)
    since = api.list_namespaced_config_map(shared_space.name).metadata.resource_version
    writer = Writer(api, shared_space.name, seed=1)
    watchers = [
        Watcher(churn.core(cluster), shared_space.name, since, seed=seed, selector=selector)
        for seed, selector in enumerate(("", "", "shown=on"))
    ]
    _together([lambda: writer.run(STEPS), *(watcher.run for watcher in watchers)])
    return writer, watchers, api


def test_watchers_that_were_cut_off_saw_every_write_once_and_in_order(
    churned: tuple[Writer, list[Watcher], Any],
) -> None:
    writer, watchers, _ = churned
    written = [(event.type, event.name, event.data) for event in writer.done]
    for watcher in watchers[:2]:
        assert not watcher.failures
        assert [(event.type, event.name, event.data) for event in watcher.told] == written
        assert all(watcher.cuts.values()), "the watcher was not cut off"


def test_versions_are_those_of_the_writes_and_only_grow(churned: tuple[Writer, list[Watcher], Any]) -> None:
    writer, watchers, _ = churned
    known = {event.data: event.version for event in writer.done if event.version}
    for watcher in watchers:
        versions = [event.version for event in watcher.told]
        assert versions == sorted(set(versions))
        changes = [event for event in watcher.told if event.type != "DELETED"]
        assert [event.version for event in changes] == [known[event.data] for event in changes]


def test_what_was_told_adds_up_to_the_list(
    churned: tuple[Writer, list[Watcher], Any], shared_space: Space
) -> None:
    _, watchers, api = churned
    for watcher in watchers:
        listed = api.list_namespaced_config_map(shared_space.name, label_selector=watcher.selector).items
        now = {item.metadata.name: int(item.metadata.resource_version) for item in listed}
        now.pop("kube-root-ca.crt", None)
        assert _sum(watcher.told) == now


def test_a_quiet_watch_ends_at_its_time(cluster: Cluster, space: Space) -> None:
    started = time.monotonic()
    assert _names(cluster, space, timeout_seconds=1) == ["kube-root-ca.crt"]
    assert 0.9 < time.monotonic() - started < 3


def test_a_busy_watch_ends_at_its_time(cluster: Cluster, space: Space) -> None:
    over = threading.Event()
    writer = threading.Thread(target=_write_until, args=(churn.core(cluster), space.name, over))
    writer.start()
    started = time.monotonic()
    names = _names(cluster, space, timeout_seconds=1)
    took = time.monotonic() - started
    over.set()
    writer.join()
    assert 0.9 < took < 3
    assert len(names) > 5


def _write_until(api: Any, namespace: str, over: threading.Event) -> None:
    number = 0
    while not over.is_set():
        api.create_namespaced_config_map(namespace, {"metadata": {"name": f"item-{number}"}})
        number += 1


def _names(cluster: Cluster, space: Space, **options: Any) -> list[str]:
    api = churn.core(cluster)
    stream = watch.Watch().stream(api.list_namespaced_config_map, space.name, _request_timeout=20, **options)
    return [event["object"].metadata.name for event in stream]


def _sum(told: list[Event]) -> dict[str, int]:
    state: dict[str, int] = {}
    for event in told:
        if event.type == "DELETED":
            assert state.pop(event.name)
        else:
            assert (event.name in state) == (event.type == "MODIFIED"), event
            state[event.name] = event.version
    return state


def _together(works: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
