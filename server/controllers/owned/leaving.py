"""A namespace that is being deleted takes nothing new: no failure of the owners in it, nothing to retry."""

from kubeling.client import DONE, Result
from kubeling.client.runner import Reconcile
from kubeling.objects.errors import ApiError
from server.controllers.owned.pod_control import namespace_terminates


def unless_namespace_goes(reconcile: Reconcile) -> Reconcile:
    """Reconcile; what is refused because the namespace is going is left at that."""

    async def reconciled(key: str) -> Result:
        try:
            return await reconcile(key)
        except ApiError as error:
            if namespace_terminates(error):
                return DONE
            raise

    return reconciled
