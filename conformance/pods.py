"""Manifests of test pods, and what their status says.

Not here: sending them (`conformance.space`).
"""

from typing import Any

Object = dict[str, Any]
IDLE = "trap 'exit 0' TERM INT; sleep 1000000 & wait $!"
"""Runs until it is asked to end, then ends at once."""


def container(used: str, script: str = IDLE, *, name: str = "main", **more: Any) -> Object:
    """Of the image `used`, unless `more` says otherwise."""
    return {"name": name, "image": used, "command": ["sh", "-c", script], **more}


def tool(used: str, *command: str, name: str = "main", **more: Any) -> Object:
    """A container that runs one of the tools (`conformance.toolimage`): `used` is `space.tools`."""
    return {"name": name, "image": used, "command": list(command), **more}


def pod(name: str, *containers: Object, **spec: Any) -> Object:
    """Ends within a second when deleted, does not restart, unless `spec` says otherwise."""
    defaults = {"terminationGracePeriodSeconds": 1, "restartPolicy": "Never"}
    spec = {**defaults, "containers": list(containers), **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def config_map(name: str, data: dict[str, str]) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def secret(name: str, data: dict[str, str]) -> Object:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data}


def condition(pod: Object, kind: str) -> Object:
    """{} where it has none."""
    conditions = pod.get("status", {}).get("conditions", [])
    return next((found for found in conditions if found["type"] == kind), {})


def ready(pod: Object) -> bool:
    return condition(pod, "Ready").get("status") == "True"


def status_of(pod: Object, name: str = "main", *, init: bool = False) -> Object:
    """The container's status; {} while there is none."""
    field = "initContainerStatuses" if init else "containerStatuses"
    statuses = pod.get("status", {}).get(field, [])
    return next((status for status in statuses if status["name"] == name), {})


def waiting_reason(pod: Object, name: str = "main") -> str:
    reason: str = status_of(pod, name).get("state", {}).get("waiting", {}).get("reason", "")
    return reason


def exit_code(pod: Object, name: str = "main", *, init: bool = False) -> int | None:
    code: int | None = status_of(pod, name, init=init).get("state", {}).get("terminated", {}).get("exitCode")
    return code
