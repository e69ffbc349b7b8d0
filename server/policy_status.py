"""Says in the status of each ValidatingAdmissionPolicy what is doubtful in its expressions.

The key is the policy's name. It looks at the kinds' types, so it is no controller that could run elsewhere.
"""

from collections.abc import Callable
from contextlib import suppress

from kubeling.client import DONE, Client, ControllerRunner, Informer, Resource, Result
from kubeling.objects import meta
from kubeling.objects.clock import Clock
from kubeling.objects.errors import NotFound
from kubeling.objects.meta import Object
from server.registry.kind import Kind

POLICIES = Resource(
    "admissionregistration.k8s.io",
    "v1",
    "validatingadmissionpolicies",
    "ValidatingAdmissionPolicy",
    namespaced=False,
)


class PolicyStatus:
    """`find` knows the kinds by group, version and plural."""

    def __init__(self, client: Client, find: Callable[[str, str, str], Kind | None], *, clock: Clock) -> None:
        self._client = client
        self._find = find
        self._policies: Informer = client.informer(POLICIES)
        name = "validatingadmissionpolicy-status-controller"
        self._runner = ControllerRunner(name, self._reconcile, clock=clock)
        self._runner.watches(self._policies, meta.name)

    def start(self) -> None:
        self._runner.start()

    async def stop(self) -> None:
        await self._runner.stop()

    async def _reconcile(self, name: str) -> Result:
        found = self._policies.get("", name)
        if found is None or _is_judged(found):
            return DONE
        from server.registry.groups.admissionregistration.type_checking import expression_warnings

        warnings = expression_warnings(found, self._find)
        checking: Object = {"expressionWarnings": warnings} if warnings else {}
        generation = meta.metadata(found).get("generation")
        state = {**(found.get("status") or {}), "observedGeneration": generation, "typeChecking": checking}
        with suppress(NotFound):
            await self._client.update(POLICIES, {**found, "status": state}, subresource="status")
        return DONE


def _is_judged(policy: Object) -> bool:
    status, generation = policy.get("status") or {}, meta.metadata(policy).get("generation")
    return "typeChecking" in status and status.get("observedGeneration") == generation
