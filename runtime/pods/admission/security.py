"""Security settings for which a node refuses a pod: it does not allow them, or cannot keep them."""

from kubeling.objects.meta import annotations
from runtime.pods.admission.apparmor import needs_apparmor
from runtime.pods.status.pod import Verdict
from runtime.pods.work import PodWork
from runtime.sysctls import SysctlError, allowed


def refused_sysctls(work: PodWork) -> Verdict | None:
    """A sysctl that is neither safe nor among the allowed unsafe ones."""
    wanted = (work.spec.get("securityContext") or {}).get("sysctls") or []
    if not wanted:
        return None
    rules = allowed(work.context.abilities.kernel, work.context.kubelet.allowed_unsafe_sysctls)
    host_network, host_ipc = bool(work.spec.get("hostNetwork")), bool(work.spec.get("hostIPC"))
    try:
        for each in wanted:
            rules.check(each["name"], host_network=host_network, host_ipc=host_ipc)
    except SysctlError as error:
        return Verdict("SysctlForbidden", f"forbidden sysctl: {error}")
    return None


def refused_groups_policy(work: PodWork) -> Verdict | None:
    """The policy `Strict`, which the runtime has to know."""
    policy = (work.spec.get("securityContext") or {}).get("supplementalGroupsPolicy")
    if policy != "Strict" or work.context.abilities.runtime().supplemental_groups_policy:
        return None
    message = "SupplementalGroupsPolicy=Strict is not supported in this node"
    return Verdict("SupplementalGroupsPolicyNotSupported", message)


def refused_apparmor(work: PodWork) -> Verdict | None:
    if work.context.abilities.apparmor or not needs_apparmor(work.spec, annotations(work.pod)):
        return None
    return Verdict("AppArmor", "Cannot enforce AppArmor: AppArmor is not enabled on the host")
