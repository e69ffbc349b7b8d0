"""Who leads: one at a time, as long as it renews its lease; the next as soon as it is safe."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any, cast

import pytest

from kubeling.client import Client, ConnectionLost, EventRecorder
from kubeling.client.fake import FakeClient
from kubeling.client.leader_election import LEASE_SECONDS, NAMESPACE, RENEW_DEADLINE, LeaderElection
from kubeling.client.resources import CONFIGMAPS, EVENTS, LEASES
from kubeling.objects.clock import FakeClock
from kubeling.objects.errors import Conflict, ServiceUnavailable
from kubeling.objects.meta import Object


class Line:
    """A process's connection to the server, which can be cut."""

    def __init__(self, server: FakeClient) -> None:
        self.cut = False
        self._server = server

    def __getattr__(self, name: str) -> Any:
        if self.cut:
            raise ConnectionLost("the line is cut")
        return getattr(self._server, name)


class Candidate:
    def __init__(self, server: FakeClient, clock: FakeClock) -> None:
        self.line = Line(server)
        self.recorder = EventRecorder(server, "test", clock=clock)
        self.election = LeaderElection(
            cast(Client, self.line), "l", self._begin, clock=clock, recorder=self.recorder
        )
        self.acts = False
        self.terms = 0

    async def _begin(self, parts: AsyncExitStack) -> None:
        self.acts = True
        self.terms += 1
        parts.callback(self._end)

    def _end(self) -> None:
        self.acts = False

    async def stop(self) -> None:
        await self.election.stop()
        await self.recorder.close()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def server(clock: FakeClock) -> AsyncIterator[FakeClient]:
    client = FakeClient(clock=clock, resources=[LEASES])
    yield client
    await client.close()


@pytest.fixture
async def first(server: FakeClient, clock: FakeClock) -> AsyncIterator[Candidate]:
    made = Candidate(server, clock)
    made.election.start()
    await clock.advance(0)
    yield made
    await made.stop()


@pytest.fixture
async def second(server: FakeClient, clock: FakeClock, first: Candidate) -> AsyncIterator[Candidate]:
    made = Candidate(server, clock)
    made.election.start()
    await clock.advance(0)
    yield made
    await made.stop()


def lease(server: FakeClient) -> Object:
    found = server.stored(LEASES, "l", namespace=NAMESPACE)
    assert found is not None
    return dict(found["spec"])


async def test_the_first_leads_and_says_so(server: FakeClient, clock: FakeClock, first: Candidate) -> None:
    assert first.acts
    assert first.election.leading
    assert lease(server)["holderIdentity"] == first.election.identity
    assert (lease(server)["leaseDurationSeconds"], lease(server)["leaseTransitions"]) == (LEASE_SECONDS, 0)
    (event,) = (await server.list(EVENTS, namespace=NAMESPACE)).items
    assert event["reason"] == "LeaderElection"
    assert event["message"] == f"{first.election.identity} became leader"
    assert event["involvedObject"]["kind"] == "Lease"


async def test_the_second_stands_by_for_as_long_as_the_lease_is_renewed(
    clock: FakeClock, first: Candidate, second: Candidate
) -> None:
    await clock.advance(20 * LEASE_SECONDS)
    assert (first.acts, second.acts, first.terms) == (True, False, 1)
    assert second.election.health() == ""


async def test_standing_by_costs_no_requests(
    server: FakeClient, clock: FakeClock, first: Candidate, second: Candidate
) -> None:
    before = len(server.requests)
    await clock.advance(10)
    assert {(each.verb, each.resource) for each in server.requests[before:]} == {("update", LEASES)}


async def test_one_that_is_cut_off_ends_before_the_next_begins(
    server: FakeClient, clock: FakeClock, first: Candidate, second: Candidate
) -> None:
    first.line.cut = True
    await clock.advance(RENEW_DEADLINE)
    assert (first.acts, second.acts) == (False, False)
    await clock.advance(LEASE_SECONDS - RENEW_DEADLINE)
    assert (first.acts, second.acts) == (False, True)
    assert lease(server)["leaseTransitions"] == 1
    first.line.cut = False
    await clock.advance(LEASE_SECONDS)
    assert (first.acts, second.acts) == (False, True)


async def test_one_that_ends_in_order_is_followed_at_once(
    clock: FakeClock, first: Candidate, second: Candidate
) -> None:
    await first.election.stop()
    await clock.advance(0)
    assert (first.acts, second.acts) == (False, True)


async def test_a_renewal_that_failed_once_loses_nothing(
    server: FakeClient, clock: FakeClock, first: Candidate, second: Candidate
) -> None:
    server.fail("update", Conflict("somebody wrote"), resource=LEASES)
    await clock.advance(LEASE_SECONDS * 3)
    assert (first.acts, first.terms, second.acts) == (True, 1, False)


async def test_who_finds_another_in_its_place_ends_at_once(
    server: FakeClient, clock: FakeClock, first: Candidate
) -> None:
    found = server.stored(LEASES, "l", namespace=NAMESPACE)
    assert found is not None
    found["spec"]["holderIdentity"] = "another"
    server.put(found)
    await clock.advance(0)
    assert not first.acts
    await clock.advance(LEASE_SECONDS)
    assert (first.acts, first.terms) == (True, 2)


async def test_who_does_not_lead_writes_nothing(
    server: FakeClient, clock: FakeClock, first: Candidate, second: Candidate
) -> None:
    body = {"metadata": {"name": "a", "namespace": "b"}, "kind": "ConfigMap", "apiVersion": "v1"}
    with pytest.raises(ServiceUnavailable, match="does not hold the lease l"):
        await second.election.fenced(server).create(CONFIGMAPS, body)
    fenced = first.election.fenced(server)
    await fenced.create(CONFIGMAPS, body)
    server.fail("update", ConnectionLost("away"), resource=LEASES, times=9)
    await clock.advance(RENEW_DEADLINE)
    with pytest.raises(ServiceUnavailable):
        await fenced.delete(CONFIGMAPS, "a", namespace="b")
    assert await fenced.get(CONFIGMAPS, "a", namespace="b")


async def test_a_lease_found_at_the_start_is_waited_for_by_the_own_clock(
    server: FakeClient, clock: FakeClock
) -> None:
    spec = {"holderIdentity": "gone", "leaseDurationSeconds": 10, "renewTime": "2000-01-01T00:00:00.000000Z"}
    own = {"name": "l", "namespace": NAMESPACE}
    server.put({"apiVersion": LEASES.api_version, "kind": "Lease", "metadata": own, "spec": spec})
    candidate = Candidate(server, clock)
    candidate.election.start()
    await clock.advance(9)
    assert not candidate.acts
    await clock.advance(2)
    assert candidate.acts
    await candidate.stop()
    assert "holderIdentity" not in lease(server)
