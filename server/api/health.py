"""/healthz, /livez and /readyz: named checks, one by one under their own path, all of them under the root.

What the checks look at is decided where the server is composed.
"""

from collections.abc import Callable, Iterable, Sequence

from kubeling.objects.errors import NotFound
from server.api.reply import Reply
from server.api.requestinfo import Query

Check = Callable[[], str]
"""Gives "" when all is well, else the reason why not."""

_TEXT = "text/plain; charset=utf-8"
_ENDPOINTS = ("healthz", "livez", "readyz")


class Health:
    """The checks of each endpoint, in the order in which they are reported."""

    def __init__(self) -> None:
        self._checks: dict[str, dict[str, Check]] = {endpoint: {} for endpoint in _ENDPOINTS}
        for endpoint in _ENDPOINTS:
            self.add("ping", lambda: "", to=[endpoint])

    def add(self, name: str, check: Check, *, to: Sequence[str] = _ENDPOINTS) -> None:
        for endpoint in to:
            self._checks[endpoint][name] = check

    def handles(self, path: str) -> bool:
        return path.strip("/").split("/", 1)[0] in self._checks

    def answer(self, path: str, query: Query) -> Reply:
        """Answer `/readyz` or `/readyz/NAME`.

        Raises:
            NotFound: there is no such check.
        """
        endpoint, _, name = path.strip("/").partition("/")
        checks = self._checks[endpoint]
        if name:
            return self._single(endpoint, name)
        excluded = set(query.get("exclude", ()))
        failed = {name: why for name, check in checks.items() if name not in excluded and (why := check())}
        if not failed and "verbose" not in query:
            return Reply(b"ok", content_type=_TEXT, headers=_HEADERS)
        lines = [_line(name, failed, excluded) for name in checks]
        lines += _unmatched(excluded - checks.keys())
        verdict = f"{endpoint} check {'failed' if failed else 'passed'}\n"
        body = "\n".join([*lines, verdict]).encode()
        return Reply(body, status=500 if failed else 200, content_type=_TEXT, headers=_HEADERS)

    def _single(self, endpoint: str, name: str) -> Reply:
        check = self._checks[endpoint].get(name)
        if check is None:
            raise NotFound("the server could not find the requested resource", details={})
        why = check()
        if why:
            body = f"internal server error: {why}\n".encode()
            return Reply(body, status=500, content_type=_TEXT, headers=_HEADERS)
        return Reply(b"ok", content_type=_TEXT, headers=_HEADERS)


_HEADERS = (("X-Content-Type-Options", "nosniff"),)


def _line(name: str, failed: dict[str, str], excluded: Iterable[str]) -> str:
    if name in excluded:
        return f"[+]{name} excluded: ok"
    if name in failed:
        return f"[-]{name} failed: reason withheld"
    return f"[+]{name} ok"


def _unmatched(names: set[str]) -> list[str]:
    if not names:
        return []
    listed = ", ".join(f'"{name}"' for name in sorted(names))
    return [f"warn: some health checks cannot be excluded: no matches for {listed}"]
