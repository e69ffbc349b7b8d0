"""Starts one container: its image, its configuration, the container itself, its postStart hook.

Whether and when it is to be started is decided in `actions` and `progress`.
"""

import logging
from functools import partial
from typing import NoReturn

from cri_api.v1 import api_pb2 as cri

from kubeling.objects.meta import Object
from runtime.errors import AlreadyExists, NotFound, RuntimeServiceError
from runtime.images.pull import ImageUnavailable
from runtime.pods.activities import RetryLater
from runtime.pods.containers.config import container_config
from runtime.pods.containers.hooks import HookFailed, run_hook
from runtime.pods.containers.image import container_image, mount_images, volume_images
from runtime.pods.containers.kinds import statuses_of
from runtime.pods.containers.stop import begin_stop
from runtime.pods.environment.variables import ConfigError, environment
from runtime.pods.observed import ObservedSandbox, State
from runtime.pods.references import Sources, environment_references
from runtime.pods.resize import follow as resize_follow
from runtime.pods.sandbox.start import config_of
from runtime.pods.status.container import Waiting
from runtime.pods.work import PodWork

logger = logging.getLogger(__name__)

RETRY_ANEW = 1.0
"""Seconds after which it is tried again when what the node knew of the runtime was not true any more."""
RETRY = 10.0
"""Seconds after which a container that could not be configured or made is tried again."""


async def start_container(work: PodWork, container: Object, key: str) -> None:
    """From nothing to a running container. `key` is the activity's, for the parts that can be interrupted.

    Raises:
        RetryLater: it could not be started; `work.waiting` says why.
    """
    name = container["name"]
    with work.activities.interruptible(key):
        image, mounted = await _images(work, container)
        sources = await work.context.sources.get(environment_references(container, work.identity.namespace))
        services = await work.context.service_variables(work.pod)
    sandbox = work.view.observed.ready_sandbox
    if sandbox is None:
        return
    await _mount_images(work, container, mounted)
    attempt = await _next_attempt(work, name)
    sandbox_config = config_of(work, sandbox.attempt)
    config = _config(work, container, sandbox, image, attempt=attempt, sources=sources, services=services)
    container_id = await _create(work, container, sandbox, config, sandbox_config)
    await _start(work, name, container_id)
    work.waiting.pop(name, None)
    await _read_started(work, container, container_id, key)


async def _images(work: PodWork, container: Object) -> tuple[cri.Image, list[tuple[Object, cri.Image]]]:
    try:
        return await container_image(work, container), await volume_images(work, container)
    except ImageUnavailable as unavailable:
        work.events.warning("Failed", f"Error: {unavailable.reason}", container=container["name"])
        _give_up(work, container["name"], unavailable.reason, unavailable.message, unavailable.retry_after)


async def _mount_images(work: PodWork, container: Object, images: list[tuple[Object, cri.Image]]) -> None:
    try:
        await mount_images(work, container, images)
    except RuntimeServiceError as error:
        work.events.warning("Failed", f"Error: {error.message}", container=container["name"])
        _give_up(work, container["name"], "CreateContainerError", error.message, RETRY)


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
    status = next((each for each in statuses_of(work.writer.latest) if each["name"] == name), {})
    return int(status.get("restartCount", 0)) + bool(status.get("containerID"))


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
    files = partial(work.context.files.env_value, work)
    facts = work.context.facts(work.context.host_ips if sandbox.on_host else sandbox.ips)
    try:
        env = environment(
            work.pod, container, sources=sources, services=services, facts=facts, file_value=files
        )
        work.context.files.write_hosts(work)
        made = container_config(
            work.pod,
            container,
            attempt=attempt,
            image=image,
            env=env,
            mounts=work.context.files.mounts(work, container, env),
            devices=work.context.files.devices(work, container),
            resources=work.context.rules.container(work.pod, container),
            security=work.context.security,
            users=work.context.files.user_namespace(work),
        )
        _enter_target(work, container, made)
        return made
    except (ConfigError, OSError) as error:
        work.events.warning("Failed", f"Error: {error}", container=container["name"])
        _give_up(work, container["name"], "CreateContainerConfigError", str(error), RETRY)


def _enter_target(work: PodWork, container: Object, config: cri.ContainerConfig) -> None:
    """Let an ephemeral container see the processes of the one that it is to debug.

    Raises:
        ConfigError: that one has never run.
    """
    target, options = container.get("targetContainerName"), config.linux.security_context.namespace_options
    if not target or options.pid != cri.CONTAINER:
        return
    latest = work.view.observed.latest(target)
    if latest is None:
        raise ConfigError(f"unable to find target container {target}")
    options.pid, options.target_id = cri.TARGET, latest.id


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
        gone = isinstance(error, AlreadyExists | NotFound)
        if gone:
            await work.view.relist()
        _give_up(work, name, "CreateContainerError", error.message, RETRY_ANEW if gone else RETRY)
    work.view.expect(container_id, sandbox.id)
    work.events.normal("Created", "Container created", container=name)
    return container_id


async def _start(work: PodWork, name: str, container_id: str) -> None:
    try:
        await work.context.runtime.start_container(container_id)
    except RuntimeServiceError as error:
        work.context.tally.container_failures["RunContainerError"] += 1
        work.events.warning("Failed", f"Error: {error.message}", container=name)
        await work.view.read_container(container_id)
        _give_up(work, name, "RunContainerError", error.message, 0.0)
    work.context.tally.started_containers += 1
    resize_follow.started(work, name)
    work.events.normal("Started", "Container started", container=name)


async def _read_started(work: PodWork, container: Object, container_id: str, key: str) -> None:
    """Until its postStart hook has ended the container does not count as running. A pod that comes to its end
    does not wait for the hook.
    """
    hook = (container.get("lifecycle") or {}).get("postStart")
    if hook:
        work.hooked |= {container_id}
    await work.view.read_container(container_id)
    work.wake()
    if hook:
        try:
            with work.activities.interruptible(key):
                await run_hook(work, container, container_id, hook)
        except HookFailed as error:
            await _post_start_failed(work, container["name"], container_id, str(error))
        finally:
            work.hooked -= {container_id}


async def _post_start_failed(work: PodWork, name: str, container_id: str, message: str) -> None:
    work.events.warning("FailedPostStartHook", "PostStartHook failed", container=name)
    work.waiting[name] = Waiting("PostStartHookError", message)
    observed = work.view.observed.containers.get(container_id)
    if observed is not None and observed.running:
        grace = float(work.spec.get("terminationGracePeriodSeconds", 30))
        begin_stop(work, observed, "FailedPostStartHook", grace=grace)


def _give_up(work: PodWork, name: str, reason: str, message: str, retry_after: float) -> NoReturn:
    work.waiting[name] = Waiting(reason, message)
    raise RetryLater(retry_after)
