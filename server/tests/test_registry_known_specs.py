from typing import Any

import pytest

from server.registry.groups.core import known_specs
from server.registry.groups.core.known_specs import Verdict, remember, verdict

FOUND = Verdict("BestEffort", ())


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_specs, "_known", {})


def spec(volume: str, **more: Any) -> dict[str, Any]:
    mounts = [{"name": volume, "mountPath": "/v"}]
    return {"containers": [{"name": "c", "volumeMounts": mounts}], "volumes": [{"name": volume}], **more}


def test_copies_are_known() -> None:
    remember(spec("v"), FOUND)
    assert verdict(spec("v")) == FOUND
    assert verdict(spec("w")) is None
    assert verdict(spec("v", hostNetwork=True)) is None


def test_the_name_of_the_token_volume_does_not_matter() -> None:
    remember(spec("kube-api-access-abc12"), FOUND)
    assert verdict(spec("kube-api-access-zzz99")) == FOUND


@pytest.mark.parametrize(
    "name", ["kube-api-access-", "kube-api-access-\x00", "\x00", "kube-api-access-ABCDE"]
)
def test_other_names_do(name: str) -> None:
    remember(spec("kube-api-access-abc12"), FOUND)
    assert verdict(spec(name)) is None


def test_a_mount_of_another_volume_is_another_spec() -> None:
    remember(spec("kube-api-access-abc12"), FOUND)
    other = spec("kube-api-access-abc12")
    other["containers"][0]["volumeMounts"][0]["name"] = "kube-api-access-zzz99"
    assert verdict(other) is None


def test_few_are_kept_and_those_longest_unasked_for_go_first() -> None:
    for number in range(256):
        remember(spec(f"v{number}"), FOUND)
    assert verdict(spec("v0"))
    remember(spec("one-more"), FOUND)
    assert verdict(spec("v0"))
    assert verdict(spec("v1")) is None


def test_enormous_specs_are_not_kept() -> None:
    remember(spec("v" * 20_000), FOUND)
    assert verdict(spec("v" * 20_000)) is None
