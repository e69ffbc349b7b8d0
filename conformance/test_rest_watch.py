"""Watches: nothing missed, nothing twice, in order; selectors; bookmarks; resuming."""

from collections.abc import Iterator
from itertools import islice

from conformance import pods
from conformance.rest import Object, Rest
from conformance.space import Space


def test_a_watch_tells_of_creation_change_and_deletion(space: Space) -> None:
    path = space.path("configmaps")
    since = space.rest.get(path)["metadata"]["resourceVersion"]
    with space.rest.watch(path, resourceVersion=since) as events:
        space.config_map("a", k="1")
        space.rest.patch(space.path("configmaps", "a"), {"data": {"k": "2"}})
        space.rest.delete(space.path("configmaps", "a"))
        assert _told(events, 3) == ["ADDED a", "MODIFIED a", "DELETED a"]


def test_a_watch_without_a_version_begins_with_what_is_there(space: Space) -> None:
    space.config_map("a")
    with space.rest.watch(space.path("configmaps")) as events:
        assert sorted(_told(events, 2)) == ["ADDED a", "ADDED kube-root-ca.crt"]
        space.config_map("b")
        assert _told(events, 1) == ["ADDED b"]


def test_a_watch_resumes_after_the_version_it_was_given(space: Space) -> None:
    versions = [space.config_map(name)["metadata"]["resourceVersion"] for name in "abc"]
    with space.rest.watch(space.path("configmaps"), resourceVersion=versions[0]) as events:
        assert _told(events, 2) == ["ADDED b", "ADDED c"]


def test_the_deleted_object_has_the_version_of_its_deletion(space: Space) -> None:
    created = space.config_map("a")
    since = created["metadata"]["resourceVersion"]
    space.rest.delete(space.path("configmaps", "a"))
    with space.rest.watch(space.path("configmaps"), resourceVersion=since) as events:
        deleted = next(events)
    assert deleted["type"] == "DELETED"
    assert int(deleted["object"]["metadata"]["resourceVersion"]) > int(since)


def test_entering_and_leaving_a_selector(space: Space) -> None:
    path = space.path("configmaps")
    since = space.config_map("a")["metadata"]["resourceVersion"]
    with space.rest.watch(path, resourceVersion=since, labelSelector="on=yes") as events:
        for value in ("yes", "no"):
            space.rest.patch(path + "/a", {"metadata": {"labels": {"on": value}}})
        first, second = islice(events, 2)
    assert (first["type"], second["type"]) == ("ADDED", "DELETED")
    assert second["object"]["metadata"]["labels"] == {"on": "yes"}


def test_a_watch_of_one_name(space: Space) -> None:
    path = space.path("configmaps")
    since = space.rest.get(path)["metadata"]["resourceVersion"]
    selector = "metadata.name=wanted"
    with space.rest.watch(path, resourceVersion=since, fieldSelector=selector) as events:
        space.config_map("other")
        space.config_map("wanted")
        assert _told(events, 1) == ["ADDED wanted"]


def test_every_watcher_sees_the_same_order(space: Space) -> None:
    path = space.path("configmaps")
    since = space.rest.get(path)["metadata"]["resourceVersion"]
    for number in range(20):
        space.config_map(f"item-{number % 7}-{number}")
    with (
        space.rest.watch(path, resourceVersion=since) as one,
        space.rest.watch(path, resourceVersion=since) as two,
    ):
        first, second = list(islice(one, 20)), list(islice(two, 20))
    assert first == second
    versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in first]
    assert versions == sorted(set(versions))


def test_a_watch_ends_when_its_time_is_over(space: Space) -> None:
    path = space.path("configmaps")
    since = space.rest.get(path)["metadata"]["resourceVersion"]
    with space.rest.watch(path, timeout=1, resourceVersion=since) as events:
        assert list(events) == []


def test_bookmarks_come_before_the_watch_ends(space: Space) -> None:
    """Upstream sends one about two seconds before the timeout, besides one a minute."""
    path = space.path("configmaps")
    created = space.config_map("a")
    since = created["metadata"]["resourceVersion"]
    with space.rest.watch(path, timeout=4, resourceVersion=since, allowWatchBookmarks="true") as events:
        found = [event for event in events if event["type"] == "BOOKMARK"]
    assert found, "no bookmark"
    assert found[-1]["object"]["kind"] == "ConfigMap"
    assert int(found[-1]["object"]["metadata"]["resourceVersion"]) >= int(since)


def test_a_streamed_list_ends_with_a_marked_bookmark(space: Space) -> None:
    space.config_map("a")
    query: Object = {
        "sendInitialEvents": "true",
        "allowWatchBookmarks": "true",
        "resourceVersionMatch": "NotOlderThan",
    }
    with space.rest.watch(space.path("configmaps"), **query) as events:
        first = list(islice(events, 3))
    assert [event["type"] for event in first] == ["ADDED", "ADDED", "BOOKMARK"]
    annotations = first[-1]["object"]["metadata"]["annotations"]
    assert annotations == {"k8s.io/initial-events-end": "true"}


def test_a_watch_of_all_namespaces(rest: Rest, space: Space) -> None:
    since = rest.get("/api/v1/configmaps")["metadata"]["resourceVersion"]
    with rest.watch("/api/v1/configmaps", resourceVersion=since) as events:
        space.config_map("a")
        seen = next(event for event in events if event["object"]["metadata"]["namespace"] == space.name)
    assert seen["object"]["metadata"]["name"] == "a"


def test_a_table_can_be_watched(space: Space) -> None:
    body = pods.config_map("a", {"k": "1"})
    since = space.create(body, "configmaps")["metadata"]["resourceVersion"]
    accept = "application/json;as=Table;v=v1;g=meta.k8s.io"
    tables = Rest(space.rest.server, space.rest.pool, {**space.rest.headers, "Accept": accept})
    with tables.watch(space.path("configmaps"), resourceVersion=since) as events:
        space.config_map("b", k="1", l="2")
        event = next(events)
    assert event["object"]["kind"] == "Table"
    assert event["object"]["rows"][0]["cells"][:2] == ["b", 2]


def _told(events: Iterator[Object], count: int) -> list[str]:
    return [f"{event['type']} {event['object']['metadata']['name']}" for event in islice(events, count)]
