"""Virtual nodes: registration, signs of life, loss, and nodes that somebody else makes."""

from kubeling.client.errors import ConnectionLost
from kubeling.client.resources import LEASES, NODES
from kubeling.objects.meta import Object
from runtime.tests.virtual_cluster import VirtualCluster, virtual_cluster
from runtime.virtual.heartbeats import interval


def renewed(cluster: VirtualCluster, name: str = "virtual-0") -> str:
    return str(cluster.lease(name)["spec"]["renewTime"])


async def test_one_write_makes_a_node_that_is_ready() -> None:
    async with virtual_cluster(3) as cluster:
        assert len([each for each in cluster.client.writes() if each.resource == NODES]) == 3
        node = cluster.node("virtual-2")
        assert node["spec"]["providerID"] == "kubeling-virtual://virtual-2"
        assert node["metadata"]["labels"]["kubernetes.io/hostname"] == "virtual-2"
        assert node["status"]["capacity"] == {
            "cpu": "4",
            "memory": "8Gi",
            "ephemeral-storage": "1Ti",
            "pods": "110",
        }
        conditions = {each["type"]: each["status"] for each in node["status"]["conditions"]}
        assert conditions["Ready"] == "True"


async def test_registration_waits_for_the_server() -> None:
    async with virtual_cluster(0) as cluster:
        cluster.client.fail("create", ConnectionLost("not there"), resource=NODES, times=2)
        registering = cluster.agent.nodes.register(1)
        from kubeling.objects.tasks import Tasks

        async with Tasks("test") as tasks:
            tasks.start(registering, name="register")
            await cluster.clock.advance(1)
            assert cluster.node()


async def test_leases_are_renewed_in_time() -> None:
    async with virtual_cluster(2) as cluster:
        first = renewed(cluster)
        await cluster.clock.advance(11)
        assert renewed(cluster) != first
        assert cluster.lease()["spec"]["holderIdentity"] == "virtual-0"


async def test_a_lease_that_somebody_else_wrote_is_read_again() -> None:
    async with virtual_cluster(1) as cluster:
        await cluster.client.patch(LEASES, "virtual-0", {"spec": {"x": 1}}, namespace="kube-node-lease")
        before = renewed(cluster)
        await cluster.clock.advance(15)
        assert renewed(cluster) != before


def test_many_nodes_renew_less_often_but_in_time() -> None:
    assert [interval(count) for count in (1, 100, 5000)] == [10.0, 20.0, 35.0]


async def test_many_nodes_give_their_signs_spread_over_time() -> None:
    async with virtual_cluster(60) as cluster:
        await cluster.clock.advance(20)
        times = {renewed(cluster, f"virtual-{number}") for number in range(60)}
        assert len(times) > 10


async def test_a_lost_node_falls_silent_until_it_is_found() -> None:
    async with virtual_cluster(1) as cluster:
        await cluster.lose()
        before = renewed(cluster)
        await cluster.clock.advance(60)
        assert renewed(cluster) == before
        await taken_for_dead(cluster)
        await cluster.find()
        assert renewed(cluster) != before
        assert ready_of(cluster.node()) == "True"


async def test_a_node_that_is_taken_for_dead_reports_at_once() -> None:
    async with virtual_cluster(1) as cluster:
        await taken_for_dead(cluster)
        await cluster.settle()
        assert ready_of(cluster.node()) == "True"


async def test_a_labelled_node_that_somebody_makes_is_served() -> None:
    async with virtual_cluster(0) as cluster:
        capacity = {"cpu": "1", "example.com/gpu": "2"}
        labels = {"kubeling.dev/virtual": "true"}
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "mine", "labels": labels}}
        await cluster.client.create(NODES, {**node, "status": {"capacity": capacity}})
        await cluster.settle()
        made = cluster.node("mine")
        assert ready_of(made) == "True"
        assert made["status"]["allocatable"] == {
            **capacity,
            "memory": "8Gi",
            "ephemeral-storage": "1Ti",
            "pods": "110",
        }
        assert cluster.lease("mine")


async def test_a_node_that_is_deleted_stays_away() -> None:
    async with virtual_cluster(2) as cluster:
        await cluster.client.delete(NODES, "virtual-1")
        await cluster.clock.advance(60)
        assert not cluster.node("virtual-1")


async def test_fewer_nodes_than_before_are_what_was_asked_for() -> None:
    async with virtual_cluster(4) as cluster:
        await cluster.agent.stop()
        async with virtual_cluster(2, client=cluster.client, clock=cluster.clock) as later:
            names = [each["metadata"]["name"] for each in (await later.client.list(NODES)).items]
            assert sorted(names) == ["virtual-0", "virtual-1"]


async def taken_for_dead(cluster: VirtualCluster) -> None:
    node = cluster.node()
    for condition in node["status"]["conditions"]:
        condition["status"] = "Unknown"
    await cluster.client.update(NODES, node, subresource="status")
    await cluster.settle()


def ready_of(node: Object) -> str:
    return next(str(each["status"]) for each in node["status"]["conditions"] if each["type"] == "Ready")
