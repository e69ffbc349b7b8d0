"""Stop signals of single containers, in the API's form (SIGRTMIN+3) and in CRI's (SIGRTMINPLUS3). Pure.

Runtimes that do not know CRI's field pass it over: then `container_stop` lets the signal be sent.
"""

from cri_api.v1 import api_pb2 as cri

from kubeling.objects.meta import Object


def of_spec(container: Object) -> str:
    """The container's own, "" for the image's."""
    return str((container.get("lifecycle") or {}).get("stopSignal") or "")


def of_name(name: str) -> cri.Signal.ValueType:
    try:
        return cri.Signal.Value(name.replace("+", "PLUS").replace("-", "MINUS"))
    except ValueError:
        return cri.RUNTIME_DEFAULT


def of_number(number: cri.Signal.ValueType) -> str:
    """ "" where the runtime does not say."""
    name = cri.Signal.Name(number) if number else ""
    return name.replace("PLUS", "+").replace("MINUS", "-")
