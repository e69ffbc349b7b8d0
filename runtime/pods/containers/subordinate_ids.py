"""Which of the host's ids pods may have for their own: those set aside for the user `kubelet`, if any are."""

import pwd
import shutil
import subprocess
from collections.abc import Callable, Sequence

_USER, _PROGRAM = "kubelet", "getsubids"
_TIMEOUT = 10.0
_ALL_IDS = 2**32


class NoSubordinateIds(Exception):
    """The user is there, but what is set aside for it cannot be told."""


def _is_known(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return shutil.which(_PROGRAM) is not None


def _ask(command: Sequence[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT, check=True).stdout


def ids_for_pods(
    per_pod: int,
    *,
    is_known: Callable[[str], bool] = _is_known,
    ask: Callable[[Sequence[str]], str] = _ask,
) -> range:
    """Where nothing is set aside: all but as many as one pod gets, which are the host's.

    Raises:
        NoSubordinateIds: users and groups are not set aside alike, in one range.
    """
    if not is_known(_USER):
        return range(per_pod, _ALL_IDS)
    try:
        users, groups = ask([_PROGRAM, _USER]), ask([_PROGRAM, "-g", _USER])
        if users != groups:
            raise NoSubordinateIds(f'mismatched subuids and subgids for user "{_USER}"')
        _, _, first, count = users.strip().split(" ")
        return range(int(first), int(first) + int(count))
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise NoSubordinateIds(f'cannot tell the subordinate ids of user "{_USER}": {error}') from error
