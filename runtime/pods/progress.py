"""The steps of a pod that is wanted: volumes, sandbox, init containers, containers. Begins them, never waits.

What is to be done is decided in `actions`; here it is held against what is under way and what must wait.
"""

from dataclasses import replace
from functools import partial

from kubeling.objects import durations
from kubeling.objects.meta import Object
from runtime.pods.actions import Actions, pod_actions
from runtime.pods.activities import RetryLater
from runtime.pods.containers.dead import remove_container
from runtime.pods.containers.kinds import EPHEMERAL, INIT, MAIN, containers_of
from runtime.pods.containers.start import start_container
from runtime.pods.containers.stop import begin_stop, go_on, stop_all
from runtime.pods.identity import container_hash
from runtime.pods.observed import ObservedContainer
from runtime.pods.references import Sources, volume_references
from runtime.pods.resize.follow import held, must_restart
from runtime.pods.sandbox.start import make_directories, start_sandbox
from runtime.pods.status.container import Waiting
from runtime.pods.used_volumes import only_used
from runtime.pods.work import PodWork
from runtime.volumes.account_tokens import Tokens, TokenUnavailable, token_volumes
from runtime.volumes.claims import is_claim
from runtime.volumes.errors import ClaimsNotReady, VolumeError
from runtime.volumes.payload import Contents

FIRST_VOLUME_DELAY, LONGEST_VOLUME_DELAY = 0.5, 122.0
"""Seconds between attempts to set volumes up."""
LONGEST_CLAIM_DELAY = 2.0
"""Seconds between looks at a claim that is not bound, which nobody tells the node about."""
TELL_EVERY = 10
"""Of how many such looks in vain one is worth an event."""


def advance(work: PodWork) -> None:
    """Begin whatever the pod lacks."""
    work.resized = must_restart(work)
    probes = replace(work.probes, resized=work.resized, replaced=work.replaced)
    actions = pod_actions(work.pod, work.view.observed, probes)
    work.stopping, work.replaced = actions.kill_pod, frozenset(actions.replaced)
    for container_id, why in actions.kill.items():
        container = work.view.observed.containers[container_id]
        begin_stop(work, container, why, grace=0.0 if actions.restart_all else _grace(work, container.name))
    if actions.kill_pod:
        stop_all(work, grace=_grace(work, ""))
    go_on(work)
    if actions.remove and not _any_in_backoff(work, actions.remove):
        for container_id in actions.remove:
            work.activities.begin(f"reset/{container_id}", partial(_remove, work, container_id))
    for sandbox_id in actions.stop_sandboxes:
        work.activities.begin(f"stop-sandbox/{sandbox_id}", partial(_stop_sandbox, work, sandbox_id))
    if not work.volumes_ready:
        work.activities.begin("volumes", partial(set_up_volumes, work))
    if actions.create_sandbox and (work.volumes_ready or work.sources_ready):
        work.activities.begin("sandbox", partial(start_sandbox, work, actions.attempt))
    elif actions.start and work.volumes_ready:
        _start_containers(work, actions)


def _grace(work: PodWork, name: str) -> float:
    """Seconds for a container that is to be replaced: a probe that failed may have its own."""
    container = work.container(name) or {}
    for kind, failed in (("liveness", work.probes.liveness_failed), ("startup", work.probes.startup_failed)):
        grace = (container.get(f"{kind}Probe") or {}).get("terminationGracePeriodSeconds")
        if name in failed and grace is not None:
            return float(grace)
    return float(work.spec.get("terminationGracePeriodSeconds", 30))


def _start_containers(work: PodWork, actions: Actions) -> None:
    """Several at once, but none before the postStart hook of one that stands before it has ended."""
    for container in containers_of(work.pod, EPHEMERAL, INIT, MAIN):
        key = f"start/{container['name']}"
        wanted = container["name"] in actions.start and not held(work, container)
        if wanted and key not in work.activities and not _in_backoff(work, container):
            work.activities.begin(key, partial(start_container, work, container, key))
        if key in work.activities and (container.get("lifecycle") or {}).get("postStart"):
            return


def _any_in_backoff(work: PodWork, container_ids: list[str]) -> bool:
    """Whether a container whose end lets all start anew did so too often of late."""
    names = {work.view.observed.containers[each].name for each in container_ids}
    specs = [each for each in containers_of(work.pod, INIT, MAIN) if each["name"] in names]
    return any(_is_held(work, each) for each in specs if work.restarts_all(each["name"]))


def _is_held(work: PodWork, container: Object) -> bool:
    latest = work.view.observed.latest(container["name"])
    counted = latest is not None and work.counted_crashes.get(latest.name) == latest.id
    return not counted and _in_backoff(work, container)


async def _remove(work: PodWork, container_id: str) -> None:
    container = work.view.observed.containers[container_id]
    work.waiting.pop(container.name, None)
    await remove_container(work, container)


def _in_backoff(work: PodWork, container: Object) -> bool:
    """Whether a container that crashed must wait; if so it is said why, and the worker wakes in time."""
    name, now = container["name"], work.context.clock.monotonic()
    latest = work.view.observed.latest(name)
    if latest is None or not latest.exited:
        return False
    key = f"{work.identity.uid}/{name}/{container_hash(container)}"
    remaining = work.context.crashes.remaining(key, since=work.view.since(latest.id), now=now)
    if remaining <= 0:
        _count(work, key, latest)
        return False
    _say_backoff(work, name, work.context.crashes.wait(key))
    work.activities.delay(f"start/{name}", remaining)
    return True


def _count(work: PodWork, key: str, latest: ObservedContainer) -> None:
    """Once for each end of a container, however often its start is tried after that."""
    if work.counted_crashes.get(latest.name) != latest.id:
        work.counted_crashes[latest.name] = latest.id
        work.context.crashes.failed(key, at=work.view.since(latest.id))


def _say_backoff(work: PodWork, name: str, wait: float) -> None:
    message = f"back-off {durations.text(round(wait))} restarting failed container={name} pod={work.identity}"
    waiting = Waiting("CrashLoopBackOff", message)
    if work.waiting.get(name) != waiting:
        work.waiting[name] = waiting
        work.events.warning(
            "BackOff", f"Back-off restarting failed container {name} in pod {work.identity}", container=name
        )


async def set_up_volumes(work: PodWork) -> None:
    """Also brings the files of ConfigMaps and Secrets up to date.

    Raises:
        RetryLater: a volume cannot be set up; an event says why.
    """
    work.volumes_stale = False
    pod = only_used(work.pod)
    if pod["spec"].get("volumes"):
        try:
            await _write_volumes(work, pod)
        except VolumeError as error:
            if not isinstance(error, ClaimsNotReady) or work.volume_failures % TELL_EVERY == 0:
                work.events.warning(error.reason, str(error))
            longest = LONGEST_CLAIM_DELAY if isinstance(error, ClaimsNotReady) else LONGEST_VOLUME_DELAY
            delay = min(FIRST_VOLUME_DELAY * 2**work.volume_failures, longest)
            work.volume_failures += 1
            changed, work.volumes_stale = work.volumes_stale, True
            raise RetryLater(0.0 if changed else delay) from error
    work.volume_failures = 0
    work.volumes_ready = True
    renewal = work.context.renewal(work.identity.uid)
    if renewal is not None:
        work.context.alarms.set((work.identity.uid, "tokens"), renewal)


async def _write_volumes(work: PodWork, pod: Object) -> None:
    """The sandbox may be made as soon as the volumes' objects are there, beside the rest."""
    with work.activities.interruptible("volumes"):
        await _find_claimed(work, pod)
        sources = await work.context.sources.get(volume_references(pod))
        if sources.keys() >= set(volume_references(pod, optional=False)):
            work.sources_ready = True
            work.wake()
        contents = await _contents(work, pod, sources)
    volumes = [work.claimed.get(each["name"], each) for each in pod["spec"]["volumes"]]
    made = {**pod, "spec": {**pod["spec"], "volumes": volumes}}
    make_directories(work)
    for notice in await work.context.volumes.set_up(made, work.paths, contents):
        work.events.warning(notice.reason, notice.message)


async def _find_claimed(work: PodWork, pod: Object) -> None:
    """Once: what a claim is bound to does not change."""
    known = all(each["name"] in work.claimed for each in pod["spec"]["volumes"] if is_claim(each))
    if work.context.claims is not None and not known:
        work.claimed = await work.context.claims.resolve(pod)


async def _contents(work: PodWork, pod: Object, sources: Sources) -> Contents:
    """A token or certificate that is not to be had is the failure of the volumes that show it."""
    tokens: Tokens = {}
    failures: dict[str, VolumeError] = {}
    try:
        tokens = await work.context.tokens.get(pod)
    except TokenUnavailable as error:
        failures = {name: VolumeError.set_up(name, error) for name in token_volumes(pod)}
    credentials = None
    if work.context.certificates is not None:
        credentials, missing = await work.context.certificates.get(pod)
        failures |= missing
    facts = work.context.facts(_pod_ips(work))
    return Contents(sources, facts, tokens, credentials, failures)


def _pod_ips(work: PodWork) -> tuple[str, ...]:
    sandbox = work.view.observed.ready_sandbox
    return sandbox.ips if sandbox is not None else ()


async def _stop_sandbox(work: PodWork, sandbox_id: str) -> None:
    await work.context.runtime.stop_pod_sandbox(sandbox_id)
    await work.view.read_sandbox(sandbox_id)
    await work.view.refresh([each.id for each in work.view.observed.running()])
