"""ControllerRevisions: their life as a DaemonSet's history, changed by others than its controller."""

import copy
from typing import Any

from conformance.rest import MERGE
from conformance.space import Space
from conformance.waiting import eventually
from conformance.workload import GROUP, Workload

Object = dict[str, Any]


def test_the_lifecycle_of_a_controller_revision(virtual_space: Space) -> None:
    web = Workload(virtual_space, "daemonsets")
    web.create()
    web.until(
        lambda found: found["status"]["numberReady"] == found["status"]["desiredNumberScheduled"] > 0,
        what="runs",
    )
    rest, collection = virtual_space.rest, virtual_space.path("controllerrevisions", group=GROUP)
    everywhere = rest.get(f"/{GROUP}/controllerrevisions", labelSelector="app=web")["items"]
    (first,) = [each for each in everywhere if each["metadata"]["namespace"] == virtual_space.name]
    (owner,) = first["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"]) == ("DaemonSet", web.get()["metadata"]["uid"])

    name = first["metadata"]["name"]
    assert _labelled(virtual_space, name, "patched")["metadata"]["labels"][name] == "patched"
    rest.post(collection, _another(first))
    _there_are(web, 2)
    rest.delete(f"{collection}/{name}")
    _there_are(web, 1)

    (current,) = web.revisions()
    name = current["metadata"]["name"]
    current["metadata"]["labels"][name] = "updated"
    assert rest.put(f"{collection}/{name}", current)["metadata"]["labels"][name] == "updated"
    web.patch(template={"spec": {"terminationGracePeriodSeconds": 2}})
    _there_are(web, 2)
    rest.delete(collection, labelSelector=f"{name}=updated")
    _there_are(web, 1)
    assert [each["revision"] for each in web.revisions()] == [3]


def _labelled(space: Space, name: str, value: str) -> Object:
    path = space.path("controllerrevisions", name, group=GROUP)
    found: Object = space.rest.patch(path, {"metadata": {"labels": {name: value}}}, content_type=MERGE)
    return found


def _another(revision: Object) -> Object:
    """With the same data, one number on."""
    made = copy.deepcopy(revision)
    kept = ("namespace", "labels", "annotations", "ownerReferences")
    metadata = {key: value for key, value in made["metadata"].items() if key in kept}
    metadata["name"] = f"{revision['metadata']['name']}-next"
    metadata["labels"]["controller-revision-hash"] = "next"
    return {**made, "metadata": metadata, "revision": revision["revision"] + 1}


def _there_are(workload: Workload, count: int) -> None:
    eventually(lambda: len(workload.revisions()) == count, what=f"there are {count} revisions")
