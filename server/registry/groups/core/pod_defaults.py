"""Defaults of pod specs, for pods and for the templates in workloads. Each function changes its argument."""

from collections.abc import Callable, Iterator
from typing import Any

from kubeling.objects import quantity
from kubeling.objects.meta import Object
from kubeling.objects.pod_resources import is_pod_level
from server.registry.groups.core.pod_features import drop_disabled
from server.registry.groups.core.pod_resources import aggregated

CONTAINER_LISTS = ("initContainers", "containers", "ephemeralContainers")
_DEFAULT_MODE = 0o644
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")


def containers_of(spec: Object) -> Iterator[Object]:
    """Init containers, containers and ephemeral containers."""
    for name in CONTAINER_LISTS:
        yield from spec.get(name) or ()


def default_pod(spec: Object) -> None:
    """The defaults of a pod, which has a few more than a template."""
    default_pod_spec(spec)
    spec.setdefault("enableServiceLinks", True)
    for name in ("initContainers", "containers"):
        for container in spec.get(name) or ():
            _requests_from_limits(container)
            if spec.get("hostNetwork"):
                _host_ports(container)
    if (spec.get("resources") or {}).get("limits"):
        _pod_requests(spec)


def default_template(template: Object) -> None:
    """The defaults of a pod template; absent metadata becomes empty, as upstream writes it back."""
    template.setdefault("metadata", {})
    default_pod_spec(template.setdefault("spec", {}))


def default_pod_spec(spec: Object) -> None:
    drop_disabled(spec)
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("terminationGracePeriodSeconds", 30)
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("securityContext", {})
    spec.setdefault("schedulerName", "default-scheduler")
    alias_service_account(spec)
    for container in containers_of(spec):
        default_container(container)
    for volume in spec.get("volumes") or ():
        default_volume(volume)


def alias_service_account(spec: Object) -> None:
    """serviceAccount is the old name of serviceAccountName; both are kept equal."""
    name = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if name:
        spec["serviceAccountName"] = spec["serviceAccount"] = name


def default_container(container: Object) -> None:
    container.setdefault("imagePullPolicy", _pull_policy(container.get("image", "")))
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    container.setdefault("resources", {})
    for port in container.get("ports") or ():
        port.setdefault("protocol", "TCP")
    for variable in container.get("env") or ():
        _default_field_ref(variable.get("valueFrom"))
    for name in _PROBES:
        if probe := container.get(name):
            _default_probe(probe)
    for hook in (container.get("lifecycle") or {}).values():
        if isinstance(hook, dict):
            _default_handler(hook)


def _pull_policy(image: str) -> str:
    return "Always" if _tag(image) == "latest" else "IfNotPresent"


def _tag(image: str) -> str:
    """The tag; latest when there is neither a tag nor a digest, "" when there is only a digest."""
    name, at, _ = image.partition("@")
    _, colon, tag = name.rpartition("/")[2].partition(":")
    return tag if colon else "" if at else "latest"


def _default_probe(probe: Object) -> None:
    probe.setdefault("timeoutSeconds", 1)
    probe.setdefault("periodSeconds", 10)
    probe.setdefault("successThreshold", 1)
    probe.setdefault("failureThreshold", 3)
    _default_handler(probe)


def _default_handler(handler: Object) -> None:
    if (get := handler.get("httpGet")) is not None:
        get.setdefault("path", "/")
        get.setdefault("scheme", "HTTP")
    if (call := handler.get("grpc")) is not None:
        call.setdefault("service", "")


def _default_field_ref(source: Any) -> None:
    if source and source.get("fieldRef") is not None:
        source["fieldRef"].setdefault("apiVersion", "v1")
    if source and source.get("resourceFieldRef") is not None:
        source["resourceFieldRef"].setdefault("divisor", "0")


def _host_ports(container: Object) -> None:
    for port in container.get("ports") or ():
        if not port.get("hostPort") and "containerPort" in port:
            port["hostPort"] = port["containerPort"]


def _requests_from_limits(holder: Object) -> None:
    resources = holder.get("resources") or {}
    limits = resources.get("limits")
    if not limits:
        return
    requests = resources.setdefault("requests", {})
    for name, amount in limits.items():
        requests.setdefault(name, amount)


def _pod_requests(spec: Object) -> None:
    """What a limited pod asks for as a whole: as much as its containers, else as much as its limit."""
    limits = spec["resources"]["limits"]
    requests = spec["resources"].setdefault("requests", {})
    for name, amount in aggregated(spec, "requests").items():
        if is_pod_level(name):
            family = "binary" if name == "memory" else "decimal"
            requests.setdefault(name, quantity.format_quantity(amount, family))
    for name, amount in limits.items():
        if is_pod_level(name):
            requests.setdefault(name, amount)


def default_volume(volume: Object) -> None:
    if len(volume) <= 1:
        volume["emptyDir"] = {}
        return
    for source, default in _VOLUME_DEFAULTS.items():
        if (found := volume.get(source)) is not None:
            default(found)


def _default_mode(source: Object) -> None:
    source.setdefault("defaultMode", _DEFAULT_MODE)


def _default_downward(source: Object) -> None:
    for item in source.get("items") or ():
        _default_field_ref(item)


def _default_downward_volume(source: Object) -> None:
    _default_mode(source)
    _default_downward(source)


def _default_projected(source: Object) -> None:
    _default_mode(source)
    for each in source.get("sources") or ():
        if (token := each.get("serviceAccountToken")) is not None:
            token.setdefault("expirationSeconds", 3600)
        if (downward := each.get("downwardAPI")) is not None:
            _default_downward(downward)


def _default_ephemeral(source: Object) -> None:
    if (template := source.get("volumeClaimTemplate")) is not None:
        template.setdefault("spec", {}).setdefault("volumeMode", "Filesystem")


def _values(**defaults: Any) -> Callable[[Object], None]:
    def default(source: Object) -> None:
        for name, value in defaults.items():
            source.setdefault(name, value)

    return default


_VOLUME_DEFAULTS: dict[str, Callable[[Object], None]] = {
    "secret": _default_mode,
    "configMap": _default_mode,
    "downwardAPI": _default_downward_volume,
    "projected": _default_projected,
    "ephemeral": _default_ephemeral,
    "hostPath": _values(type=""),
    "image": lambda source: source.setdefault("pullPolicy", _pull_policy(source.get("reference", ""))),
    "iscsi": _values(iscsiInterface="default"),
    "rbd": _values(pool="rbd", user="admin", keyring="/etc/ceph/keyring"),
    "azureDisk": _values(cachingMode="ReadWrite", kind="Shared", fsType="ext4", readOnly=False),
    "scaleIO": _values(storageMode="ThinProvisioned", fsType="xfs"),
}
