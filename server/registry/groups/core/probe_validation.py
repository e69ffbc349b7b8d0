"""Validation of probes and lifecycle hooks."""

import re

from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from server.registry.causes import (
    at_least,
    choice,
    forbidden,
    in_range,
    invalid,
    invalids,
    not_supported,
    required,
)
from server.registry.groups.core.port_names import port_name_errors

_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc")
_HOOK_HANDLERS = ("exec", "httpGet", "tcpSocket", "sleep")
_NUMBERS = (
    "initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold",
)  # fmt: skip
_HEADER = re.compile(r"[-A-Za-z0-9]+")
_HEADER_TEXT = (
    "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for"
    " validation is '[-A-Za-z0-9]+')"
)
_SIGNALS_ON_WINDOWS = ("SIGKILL", "SIGTERM")


def probe_causes(field: str, probe: Object, *, once: bool) -> list[Cause]:
    """`once`: success must count at the first try, as for liveness and startup."""
    causes = _handler_causes(field, probe, _HANDLERS, 0)
    for name in _NUMBERS:
        causes += at_least(f"{field}.{name}", probe.get(name))
    period = probe.get("terminationGracePeriodSeconds")
    where = f"{field}.terminationGracePeriodSeconds"
    if period is not None and period <= 0:
        causes.append(invalid(where, period, "must be greater than 0"))
    if period is not None and not once:
        causes.append(invalid(where, period, "must not be set for readinessProbes"))
    if once and probe.get("successThreshold", 1) != 1:
        causes.append(invalid(f"{field}.successThreshold", probe["successThreshold"], "must be 1"))
    return causes


def lifecycle_causes(field: str, lifecycle: Object, *, grace: int, os: str) -> list[Cause]:
    """`grace` is the pod's grace period in seconds, `os` the operating system it asks for, if any."""
    causes: list[Cause] = []
    for name in ("postStart", "preStop"):
        if (hook := lifecycle.get(name)) is not None:
            causes += _handler_causes(f"{field}.{name}", hook, _HOOK_HANDLERS, grace)
    if (signal := lifecycle.get("stopSignal")) is not None:
        where = f"{field}.stopSignal"
        if not os:
            causes.append(forbidden(where, "may not be set for containers with empty `spec.os.name`"))
        elif os == "windows" and signal not in _SIGNALS_ON_WINDOWS:
            causes.append(not_supported(where, signal, _SIGNALS_ON_WINDOWS))
    return causes


def _handler_causes(field: str, holder: Object, kinds: tuple[str, ...], grace: int) -> list[Cause]:
    given = [name for name in kinds if holder.get(name) is not None]
    if not given:
        return [required(field, "must specify a handler type")]
    causes = _action_causes(f"{field}.{given[0]}", given[0], holder[given[0]], grace)
    return causes + [
        forbidden(f"{field}.{name}", "may not specify more than 1 handler type") for name in given[1:]
    ]


def _action_causes(field: str, kind: str, action: Object, grace: int) -> list[Cause]:
    match kind:
        case "exec":
            return [] if action.get("command") else [required(f"{field}.command")]
        case "httpGet":
            return _http_causes(field, action)
        case "tcpSocket":
            return _port_causes(f"{field}.port", action.get("port", 0))
        case "grpc":
            return in_range(f"{field}.port", action.get("port", 0), 1, 65535)
        case _:
            seconds = action.get("seconds", 0)
            if 0 <= seconds <= grace:
                return []
            why = f"must be non-negative and less than terminationGracePeriodSeconds ({grace})"
            return [invalid(field, seconds, why)]


def _http_causes(field: str, action: Object) -> list[Cause]:
    causes = [] if action.get("path") else [required(f"{field}.path")]
    causes += _port_causes(f"{field}.port", action.get("port", 0))
    causes += choice(f"{field}.scheme", action.get("scheme"), ("HTTP", "HTTPS"))
    for header in action.get("httpHeaders") or ():
        name = header.get("name", "")
        if not _HEADER.fullmatch(name):
            causes.append(invalid(f"{field}.httpHeaders", name, _HEADER_TEXT))
    return causes


def _port_causes(field: str, port: int | str) -> list[Cause]:
    if isinstance(port, int):
        return in_range(field, port, 1, 65535)
    return invalids(field, port, port_name_errors(port))
