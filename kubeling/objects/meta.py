"""Reading and making object metadata: names, keys, timestamps, uids, owner references.

Validation of names is in `names`; selectors are in `labels` and `fields`.
"""

import os
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

Object = dict[str, Any]

SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
"""The letters that Kubernetes puts into generated names: no vowels, nothing that looks alike."""
_SUFFIX_LENGTH = 5


def metadata(obj: Mapping[str, Any]) -> Mapping[str, Any]:
    """The object's metadata, empty when it has none."""
    return obj.get("metadata") or {}


def name(obj: Mapping[str, Any]) -> str:
    return str(metadata(obj).get("name") or "")


def namespace(obj: Mapping[str, Any]) -> str:
    """The object's namespace; "" when it is cluster-scoped."""
    return str(metadata(obj).get("namespace") or "")


def uid(obj: Mapping[str, Any]) -> str:
    return str(metadata(obj).get("uid") or "")


def resource_version(obj: Mapping[str, Any]) -> str:
    return str(metadata(obj).get("resourceVersion") or "")


def labels(obj: Mapping[str, Any]) -> Mapping[str, str]:
    return metadata(obj).get("labels") or {}


def annotations(obj: Mapping[str, Any]) -> Mapping[str, str]:
    return metadata(obj).get("annotations") or {}


def is_terminating(obj: Mapping[str, Any]) -> bool:
    """Whether deletion has been asked for, and waits for a grace period or finalizers."""
    return bool(metadata(obj).get("deletionTimestamp"))


def key(obj: Mapping[str, Any]) -> str:
    """`namespace/name`, or `name` for a cluster-scoped object: the form work queues use."""
    space = namespace(obj)
    return f"{space}/{name(obj)}" if space else name(obj)


def split_key(text: str) -> tuple[str, str]:
    """The inverse of `key`: (namespace, name)."""
    space, slash, rest = text.partition("/")
    return (space, rest) if slash else ("", space)


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with whole seconds, as metav1.Time is written."""
    return f"{moment.astimezone(UTC).isoformat()[:19]}Z"


def micro_timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with six digits of microseconds, as metav1.MicroTime is written."""
    return f"{moment.astimezone(UTC).isoformat(timespec='microseconds')[:26]}Z"


def parse_timestamp(text: str) -> datetime:
    """An aware datetime in UTC from RFC 3339 text of any precision.

    Raises:
        ValueError: the text is not a timestamp with a zone.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"timestamp {text!r} has no time zone")
    return moment.astimezone(UTC)


def new_uid() -> str:
    return str(uuid.uuid4())


def random_suffix() -> str:
    """Five letters, as they are appended to generated names. One call to the system's source of randomness:
    its eight bytes are so many more than needed that no letter is likelier than another."""
    number, letters = int.from_bytes(os.urandom(8)), []
    for _ in range(_SUFFIX_LENGTH):
        number, position = divmod(number, len(SUFFIX_ALPHABET))
        letters.append(SUFFIX_ALPHABET[position])
    return "".join(letters)


def controller_of(obj: Mapping[str, Any]) -> Object | None:
    """The owner reference that is marked as the controller, if there is one."""
    references: list[Object] = metadata(obj).get("ownerReferences") or []
    for reference in references:
        if reference.get("controller"):
            return reference
    return None
