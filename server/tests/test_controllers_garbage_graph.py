"""The graph of owners and dependents: who is looked at when something is seen, or found to be absent."""

from kubeling.client.resources import CONFIGMAPS, NODES, SECRETS, Resource
from kubeling.objects.meta import Object
from server.controllers.garbage.absent import AbsentOwners
from server.controllers.garbage.graph import Graph
from server.controllers.garbage.identity import Coordinates


class Watched:
    """A graph, and what it asked for."""

    def __init__(self) -> None:
        self.attempted: list[str] = []
        self.orphaned: list[str] = []
        self.reported: list[str] = []
        self.absent = AbsentOwners()
        self.graph = Graph(
            attempt=self.attempted.append,
            orphan=self.orphaned.append,
            report=lambda node, _: self.reported.append(node.uid),
            absent=self.absent,
        )

    def see(
        self,
        uid: str,
        *owners: Object,
        resource: Resource = CONFIGMAPS,
        space: str = "ns",
    ) -> None:
        own: Object = {"name": uid, "uid": uid, "ownerReferences": list(owners)}
        if resource.namespaced:
            own["namespace"] = space
        self.attempted.clear()
        self.graph.observe(resource, "ADDED", {"metadata": own}, None)

    def miss(self, uid: str, *, kind: str = "ConfigMap", space: str = "ns", name: str = "") -> None:
        self.attempted.clear()
        self.graph.absent(Coordinates(kind, "v1", space, name or uid, uid))


def owner(uid: str, **more: object) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "name": uid, "uid": uid, **more}


def test_an_owner_that_was_not_seen_is_looked_for() -> None:
    watched = Watched()
    watched.see("child", owner("o"))
    assert watched.attempted == ["o"]
    node = watched.graph.get("o")
    assert node is not None
    assert node.virtual


def test_an_owner_that_is_seen_is_virtual_no_more() -> None:
    watched = Watched()
    watched.see("child", owner("o"))
    watched.see("o")
    node = watched.graph.get("o")
    assert node is not None
    assert (node.virtual, [each.uid for each in node.dependents]) == (False, ["child"])
    assert watched.attempted == []


def test_an_absent_owner_takes_its_dependents_along() -> None:
    watched = Watched()
    watched.see("child", owner("o"))
    watched.miss("o")
    assert watched.attempted == ["child"]
    assert watched.graph.get("o") is None
    assert Coordinates("ConfigMap", "v1", "ns", "o", "o") in watched.absent


def test_an_owner_that_is_stated_in_two_ways_is_looked_for_in_both() -> None:
    watched = Watched()
    watched.see("one", owner("o"))
    watched.see("two", owner("o", kind="Secret"))
    assert watched.attempted == ["two"]
    watched.miss("o")
    assert watched.attempted == ["one"]
    node = watched.graph.get("o")
    assert node is not None
    assert node.identity.kind == "Secret"
    watched.miss("o", kind="Secret")
    assert watched.attempted == ["two"]


def test_a_wrong_statement_does_not_remove_an_owner_that_was_seen() -> None:
    watched = Watched()
    watched.see("o")
    watched.see("right", owner("o"))
    watched.see("wrong", owner("o", name="other"))
    assert watched.attempted == ["wrong"]
    watched.miss("o", name="other")
    assert watched.graph.get("o")
    assert watched.attempted == ["wrong"]


def test_who_stated_an_owner_wrongly_is_looked_at_when_it_is_seen() -> None:
    watched = Watched()
    watched.see("wrong", owner("o", name="other"))
    watched.see("far", owner("o"), space="far")
    watched.see("o")
    assert watched.attempted == ["wrong", "far"]
    assert watched.reported == ["far"]


def test_a_cluster_scoped_dependent_cannot_speak_for_those_in_namespaces() -> None:
    watched = Watched()
    watched.see("node", owner("o"), resource=NODES)
    watched.see("child", owner("o"))
    assert watched.attempted == ["child"]


def test_of_what_is_served_no_longer_nothing_is_left() -> None:
    watched = Watched()
    watched.see("o", resource=SECRETS)
    watched.see("child", owner("o", kind="Secret"))
    watched.attempted.clear()
    watched.graph.forget(SECRETS)
    assert watched.graph.get("o") is None
    assert watched.attempted == ["child"]


def test_only_so_many_absent_owners_are_remembered() -> None:
    absent = AbsentOwners(size=2)
    one, two, three = (Coordinates("ConfigMap", "v1", "ns", name, name) for name in "abc")
    absent.add(one)
    absent.add(two)
    assert one in absent
    absent.add(three)
    assert (one in absent, two in absent, three in absent) == (True, False, True)
