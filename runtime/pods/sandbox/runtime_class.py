"""Which of the runtime's handlers a pod is run by: its RuntimeClass says so."""

from kubeling.client.errors import ConnectionLost
from kubeling.client.protocol import Client
from kubeling.client.resources import RUNTIME_CLASSES
from kubeling.objects.errors import ApiError, NotFound
from kubeling.objects.meta import Object


class NoHandler(Exception):
    """The class cannot be read; the text is the kubelet's."""


async def handler_of(pod: Object, client: Client) -> str:
    """ "" for the runtime's default.

    Raises:
        NoHandler: there is no such class, or the API does not answer.
    """
    name = (pod.get("spec") or {}).get("runtimeClassName")
    if not name:
        return ""
    try:
        found = await client.get(RUNTIME_CLASSES, name)
    except NotFound as error:
        raise NoHandler(f'runtimeclass.node.k8s.io "{name}" not found') from error
    except (ApiError, ConnectionLost) as error:
        raise NoHandler(f"failed to lookup RuntimeClass {name}: {error}") from error
    return str(found.get("handler") or "")
