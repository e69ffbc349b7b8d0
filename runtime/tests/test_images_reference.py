"""Completing image references."""

import pytest

from runtime.images.reference import normalized

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("short", "full"),
    [
        ("busybox", "docker.io/library/busybox:latest"),
        ("busybox:1.36", "docker.io/library/busybox:1.36"),
        ("user/app", "docker.io/user/app:latest"),
        ("docker.io/busybox", "docker.io/library/busybox:latest"),
        ("localhost/app:1", "localhost/app:1"),
        ("localhost:5000/app", "localhost:5000/app:latest"),
        ("registry.example/a/b/c:2", "registry.example/a/b/c:2"),
        (f"registry.example/a@{DIGEST}", f"registry.example/a@{DIGEST}"),
        (f"busybox@{DIGEST}", f"docker.io/library/busybox@{DIGEST}"),
    ],
)
def test_names_are_completed_as_docker_does(short: str, full: str) -> None:
    assert normalized(short) == full
    assert normalized(full) == full
