"""What a Service's endpoint says of a pod: its addresses and ports, its state, its place. Pure functions."""

from kubeling.objects import meta
from kubeling.objects.meta import Object
from server.controllers.owned.pods import is_finished, is_ready, node_of

ZONE = "topology.kubernetes.io/zone"
SAME_ZONE = ("PreferClose", "PreferSameZone", "PreferSameNode")


def families(service: Object) -> list[str]:
    """IPv4, IPv6 or both, the first being the one that counts where there can be one only."""
    spec = service.get("spec") or {}
    if spec.get("ipFamilies"):
        return [str(family) for family in spec["ipFamilies"]]
    return ["IPv6" if ":" in str(spec.get("clusterIP") or "") else "IPv4"]


def is_headless(service: Object) -> bool:
    return (service.get("spec") or {}).get("clusterIP") == "None"


def publishes_unready(service: Object) -> bool:
    return bool((service.get("spec") or {}).get("publishNotReadyAddresses"))


def may_serve(pod: Object, *, terminating: bool) -> bool:
    """Whether the pod has, or may get, an endpoint; one that is being deleted only if `terminating`."""
    return not is_finished(pod) and (terminating or not meta.is_terminating(pod))


def address(pod: Object, family: str) -> str | None:
    status = pod.get("status") or {}
    found = [each.get("ip") for each in status.get("podIPs") or ()] or [status.get("podIP")]
    return next((ip for ip in found if ip and (":" in ip) is (family == "IPv6")), None)


def ports(pod: Object, service: Object) -> list[Object]:
    """The Service's ports as this pod has them; those are left out whose names it does not know."""
    found = []
    for port in (service.get("spec") or {}).get("ports") or ():
        number = _number(pod, port)
        if number is not None:
            entry = {"name": port.get("name", ""), "port": number, "protocol": port.get("protocol") or "TCP"}
            if port.get("appProtocol"):
                entry["appProtocol"] = port["appProtocol"]
            found.append(entry)
    return found


def _number(pod: Object, port: Object) -> int | None:
    target = port.get("targetPort") or port.get("port")
    if not isinstance(target, str):
        return int(target) if target is not None else None
    spec = pod.get("spec") or {}
    sidecars = [each for each in spec.get("initContainers") or () if each.get("restartPolicy") == "Always"]
    for container in [*(spec.get("containers") or ()), *sidecars]:
        for each in container.get("ports") or ():
            same_protocol = (each.get("protocol") or "TCP") == (port.get("protocol") or "TCP")
            if each.get("name") == target and same_protocol:
                return int(each["containerPort"])
    return None


def reference(pod: Object) -> Object:
    return {
        "kind": "Pod",
        "namespace": meta.namespace(pod),
        "name": meta.name(pod),
        "uid": meta.uid(pod),
    }


def hostname(pod: Object, service: Object) -> str:
    """The pod's own name in the Service's domain, if it asks for one."""
    spec = pod.get("spec") or {}
    return str(spec.get("hostname") or "") if spec.get("subdomain") == meta.name(service) else ""


def endpoint(pod: Object, service: Object, family: str, node: Object | None) -> Object | None:
    """An EndpointSlice's; None while the pod has no such address."""
    ip = address(pod, family)
    if ip is None:
        return None
    serving, terminating = is_ready(pod), meta.is_terminating(pod)
    ready = publishes_unready(service) or (serving and not terminating)
    found: Object = {
        "addresses": [ip],
        "conditions": {"ready": ready, "serving": serving, "terminating": terminating},
        "targetRef": reference(pod),
    }
    optional = {
        "nodeName": node_of(pod),
        "zone": meta.labels(node or {}).get(ZONE),
        "hostname": hostname(pod, service),
    }
    found |= {name: value for name, value in optional.items() if value}
    if ready and (hints := _hints(found, service)):
        found["hints"] = hints
    return found


def _hints(found: Object, service: Object) -> Object:
    """Whom the endpoint is meant for, by spec.trafficDistribution."""
    wish = (service.get("spec") or {}).get("trafficDistribution")
    hints: Object = {}
    if wish in SAME_ZONE and "zone" in found:
        hints["forZones"] = [{"name": found["zone"]}]
    if wish == "PreferSameNode" and "nodeName" in found:
        hints["forNodes"] = [{"name": found["nodeName"]}]
    return hints
