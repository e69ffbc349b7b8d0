from typing import Any

import pytest

from kubeling.objects.errors import NotFound
from server.api.health import Health


def health(reason: Any = "") -> Any:
    checks = Health()
    checks.add("store", lambda: reason)
    return checks


def test_all_is_well_in_one_word() -> None:
    reply = health().answer("/readyz", {})
    assert (reply.status, reply.body) == (200, b"ok")


def test_verbose_names_every_check() -> None:
    assert (
        health().answer("/livez", {"verbose": [""]}).body == b"[+]ping ok\n[+]store ok\nlivez check passed\n"
    )


def test_a_failing_check_fails_the_whole_and_tells_no_reason() -> None:
    reply = health("secret").answer("/readyz", {})
    assert reply.status == 500
    assert reply.body == b"[+]ping ok\n[-]store failed: reason withheld\nreadyz check failed\n"


def test_a_check_can_be_excluded() -> None:
    reply = health("down").answer("/readyz", {"exclude": ["store"], "verbose": [""]})
    assert reply.status == 200
    assert b"[+]store excluded: ok" in reply.body


def test_a_single_check_has_its_own_path() -> None:
    assert health().answer("/healthz/store", {}).body == b"ok"
    assert health("down").answer("/healthz/store", {}).status == 500
    with pytest.raises(NotFound):
        health().answer("/healthz/nothing", {})
