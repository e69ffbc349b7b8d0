"""What the runtime is told to make a pod's sandbox."""

from collections.abc import Iterator
from pathlib import Path

from cri_api.v1 import api_pb2 as cri

from kubeling.objects.meta import Object, name, namespace, uid
from runtime.pods import identity
from runtime.pods.cgroups.qos import all_containers, cgroup_parent
from runtime.pods.cgroups.resources import ResourceRules
from runtime.pods.containers.security import sandbox_context
from runtime.sysctls import dotted


def sandbox_config(
    pod: Object,
    *,
    attempt: int,
    log_directory: Path,
    hostname: str,
    dns: cri.DNSConfig,
    rules: ResourceRules,
    users: cri.UserNamespace | None = None,
) -> cri.PodSandboxConfig:
    """`attempt` counts the pod's sandboxes: 0 for the first, one more each time it must be made again."""
    on_host = (pod.get("spec") or {}).get("hostNetwork")
    return cri.PodSandboxConfig(
        metadata=cri.PodSandboxMetadata(
            name=name(pod), namespace=namespace(pod), uid=uid(pod), attempt=attempt
        ),
        hostname="" if on_host else hostname,
        log_directory=str(log_directory),
        dns_config=dns,
        port_mappings=[] if on_host else list(_port_mappings(pod)),
        labels=identity.sandbox_labels(pod),
        annotations=identity.sandbox_annotations(pod),
        linux=cri.LinuxPodSandboxConfig(
            cgroup_parent=cgroup_parent(pod),
            security_context=sandbox_context(pod, users),
            sysctls=_sysctls(pod),
            resources=rules.sandbox(pod),
            overhead=rules.overhead(pod),
        ),
    )


def _port_mappings(pod: Object) -> Iterator[cri.PortMapping]:
    for container in all_containers(pod):
        for port in container.get("ports") or []:
            yield cri.PortMapping(
                protocol=cri.Protocol.Value(port.get("protocol") or "TCP"),
                container_port=port["containerPort"],
                host_port=port.get("hostPort") or 0,
                host_ip=port.get("hostIP") or "",
            )


def _sysctls(pod: Object) -> dict[str, str]:
    given = ((pod.get("spec") or {}).get("securityContext") or {}).get("sysctls") or []
    return {dotted(each["name"]): each["value"] for each in given}
