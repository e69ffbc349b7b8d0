"""Validation of probes and lifecycle hooks."""

from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from server.registry.causes import at_least, forbidden, in_range, invalid, invalids, one_of, required
from server.registry.groups.core.port_names import port_name_errors

_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc")
_HOOK_HANDLERS = ("exec", "httpGet", "tcpSocket", "sleep")
_NUMBERS = (
    "initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold",
)  # fmt: skip


def probe_causes(field: str, probe: Object, *, once: bool) -> list[Cause]:
    """`once`: success must count at the first try, as for liveness and startup."""
    causes = _handler_causes(field, probe, _HANDLERS)
    for name in _NUMBERS:
        causes += at_least(f"{field}.{name}", probe.get(name))
    period = probe.get("terminationGracePeriodSeconds")
    if period is not None and not once:
        causes.append(
            invalid(f"{field}.terminationGracePeriodSeconds", period, "must not be set for readinessProbes")
        )
    elif period is not None and period <= 0:
        causes.append(invalid(f"{field}.terminationGracePeriodSeconds", period, "must be greater than 0"))
    if once and probe.get("successThreshold", 1) != 1:
        causes.append(invalid(f"{field}.successThreshold", probe["successThreshold"], "must be 1"))
    return causes


def lifecycle_causes(field: str, lifecycle: Object) -> list[Cause]:
    causes: list[Cause] = []
    for name in ("postStart", "preStop"):
        if (hook := lifecycle.get(name)) is not None:
            causes += _handler_causes(f"{field}.{name}", hook, _HOOK_HANDLERS)
    return causes


def _handler_causes(field: str, holder: Object, kinds: tuple[str, ...]) -> list[Cause]:
    given = [name for name in kinds if holder.get(name) is not None]
    if not given:
        return [required(field, "must specify a handler type")]
    causes = [forbidden(f"{field}.{name}", "may not specify more than 1 handler type") for name in given[1:]]
    return causes + _action_causes(f"{field}.{given[0]}", given[0], holder[given[0]])


def _action_causes(field: str, kind: str, action: Object) -> list[Cause]:
    match kind:
        case "exec":
            return [] if action.get("command") else [required(f"{field}.command")]
        case "httpGet":
            causes = [] if action.get("path") else [required(f"{field}.path")]
            causes += _port_causes(f"{field}.port", action.get("port", 0))
            return causes + one_of(f"{field}.scheme", action.get("scheme"), ("HTTP", "HTTPS"))
        case "tcpSocket":
            return _port_causes(f"{field}.port", action.get("port", 0))
        case "grpc":
            return in_range(f"{field}.port", action.get("port", 0), 1, 65535)
        case _:
            return []


def _port_causes(field: str, port: int | str) -> list[Cause]:
    if isinstance(port, int):
        return in_range(field, port, 1, 65535)
    return invalids(field, port, port_name_errors(port))
