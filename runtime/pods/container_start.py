"""Starts one container: its image, its configuration, the container itself, its postStart hook.

Whether and when it is to be started is decided in `actions` and `progress`.
"""

import logging
from typing import NoReturn

from cri_api.v1 import api_pb2 as cri

from kubeling.objects.meta import Object
from runtime.errors import AlreadyExists, NotFound, RuntimeServiceError
from runtime.images.pull import ImageUnavailable, PullRequest
from runtime.pods.activities import RetryLater
from runtime.pods.container_config import container_config
from runtime.pods.container_status import Waiting
from runtime.pods.environment import ConfigError, environment
from runtime.pods.hooks import HookFailed, run_hook
from runtime.pods.observed import ObservedSandbox, State
from runtime.pods.references import SECRET, Reference, Sources, environment_references
from runtime.pods.sandbox_start import config_of
from runtime.pods.work import PodWork

logger = logging.getLogger(__name__)

RETRY = 10.0
"""Seconds after which a container that could not be configured or made is tried again."""


async def start_container(work: PodWork, container: Object, key: str) -> None:
    """From nothing to a running container. `key` is the activity's, for the parts that can be interrupted.

    Raises:
        RetryLater: it could not be started; `work.waiting` says why.
    """
    name = container["name"]
    with work.activities.interruptible(key):
        image = await _image(work, container)
        sources = await work.context.sources.get(environment_references(container, work.identity.namespace))
        services = await work.context.service_variables(work.pod)
    sandbox = work.view.observed.ready_sandbox
    if sandbox is None:
        return
    attempt = await _next_attempt(work, name)
    sandbox_config = config_of(work, sandbox.attempt)
    config = _config(work, container, sandbox, image, attempt=attempt, sources=sources, services=services)
    container_id = await _create(work, container, sandbox, config, sandbox_config)
    await _start(work, name, container_id)
    work.waiting.pop(name, None)
    await work.view.read_container(container_id)
    work.wake()
    await _post_start(work, container, container_id)


async def _image(work: PodWork, container: Object) -> cri.Image:
    secrets = await _pull_secrets(work)
    request = PullRequest(
        key=work.identity.uid,
        container=container["name"],
        image=container.get("image", ""),
        policy=container.get("imagePullPolicy") or "IfNotPresent",
        events=work.events,
        secrets=secrets,
    )
    try:
        return await work.context.puller.ensure(request)
    except ImageUnavailable as unavailable:
        work.events.warning("Failed", f"Error: {unavailable.reason}", container=container["name"])
        _give_up(work, container["name"], unavailable.reason, unavailable.message, unavailable.retry_after)


async def _pull_secrets(work: PodWork) -> list[Object]:
    names = [each.get("name") for each in work.spec.get("imagePullSecrets") or []]
    references = [Reference(SECRET, work.identity.namespace, name) for name in names if name]
    found = await work.context.sources.get(references)
    return list(found.values())


async def _next_attempt(work: PodWork, name: str) -> int:
    """The restart count of the container to be made; one that was never started makes room for it."""
    latest = work.view.observed.latest(name)
    if latest is None:
        return _counted_by_api(work, name)
    if latest.state is not State.CREATED:
        return latest.restart_count + 1
    await work.context.runtime.remove_container(latest.id)
    await work.view.read_container(latest.id)
    return latest.restart_count


def _counted_by_api(work: PodWork, name: str) -> int:
    """After the runtime lost its records the API still knows how often the container ran."""
    status = work.writer.latest
    for each in [*(status.get("containerStatuses") or []), *(status.get("initContainerStatuses") or [])]:
        if each["name"] == name and (each.get("containerID") or each.get("restartCount")):
            return int(each.get("restartCount", 0)) + 1
    return 0


def _config(
    work: PodWork,
    container: Object,
    sandbox: ObservedSandbox,
    image: cri.Image,
    *,
    attempt: int,
    sources: Sources,
    services: dict[str, str],
) -> cri.ContainerConfig:
    facts = work.context.facts(work.context.host_ips if sandbox.on_host else sandbox.ips)
    try:
        env = environment(work.pod, container, sources=sources, services=services, facts=facts)
        return container_config(
            work.pod,
            container,
            attempt=attempt,
            image=image,
            env=env,
            mounts=work.context.files.mounts(work, container, env),
            resources=work.context.rules.container(work.pod, container),
            security=work.context.security,
            users=work.context.files.user_namespace(work),
        )
    except ConfigError as error:
        work.events.warning("Failed", f"Error: {error}", container=container["name"])
        _give_up(work, container["name"], "CreateContainerConfigError", str(error), RETRY)


async def _create(
    work: PodWork,
    container: Object,
    sandbox: ObservedSandbox,
    config: cri.ContainerConfig,
    sandbox_config: cri.PodSandboxConfig,
) -> str:
    name = container["name"]
    work.context.files.begin_container(work.paths, name)
    try:
        container_id = await work.context.runtime.create_container(sandbox.id, config, sandbox_config)
    except RuntimeServiceError as error:
        work.events.warning("Failed", f"Error: {error.message}", container=name)
        if isinstance(error, AlreadyExists | NotFound):
            await work.view.relist()
        _give_up(work, name, "CreateContainerError", error.message, RETRY)
    work.view.expect(container_id, sandbox.id)
    work.events.normal("Created", "Container created", container=name)
    return container_id


async def _start(work: PodWork, name: str, container_id: str) -> None:
    try:
        await work.context.runtime.start_container(container_id)
    except RuntimeServiceError as error:
        work.events.warning("Failed", f"Error: {error.message}", container=name)
        await work.view.read_container(container_id)
        _give_up(work, name, "RunContainerError", error.message, 0.0)
    work.events.normal("Started", "Container started", container=name)


async def _post_start(work: PodWork, container: Object, container_id: str) -> None:
    hook = (container.get("lifecycle") or {}).get("postStart")
    if not hook:
        return
    try:
        await run_hook(work, container, container_id, hook)
    except HookFailed as error:
        work.events.warning(
            "FailedPostStartHook", f"PostStartHook failed: {error}", container=container["name"]
        )
        work.events.normal("Killing", "FailedPostStartHook", container=container["name"])
        grace = int(work.spec.get("terminationGracePeriodSeconds", 30))
        await work.context.runtime.stop_container(container_id, timeout=grace)
        await work.view.read_container(container_id)


def _give_up(work: PodWork, name: str, reason: str, message: str, retry_after: float) -> NoReturn:
    work.waiting[name] = Waiting(reason, message)
    raise RetryLater(retry_after)
