"""gRPC's errors become the node's, once, with the runtime's text."""

import socket
from pathlib import Path

import grpc
import pytest

from runtime import errors
from runtime.cri.client import CriRuntime
from runtime.cri.grpc_errors import translated


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (grpc.StatusCode.NOT_FOUND, errors.NotFound),
        (grpc.StatusCode.UNAVAILABLE, errors.RuntimeUnavailable),
        (grpc.StatusCode.DEADLINE_EXCEEDED, errors.RuntimeTimeout),
        (grpc.StatusCode.UNIMPLEMENTED, errors.Unimplemented),
        (grpc.StatusCode.UNKNOWN, errors.RuntimeFailed),
    ],
)
def test_codes_become_kinds(code: grpc.StatusCode, kind: type[Exception]) -> None:
    assert type(translated(code, "x")) is kind


def test_the_text_is_what_kubernetes_shows() -> None:
    error = translated(grpc.StatusCode.NOT_FOUND, "no such image")
    assert str(error) == "rpc error: code = NotFound desc = no such image"


def test_a_reserved_name_is_one_that_exists() -> None:
    text = 'failed to reserve sandbox name "x": name "x" is reserved for "y"'
    assert isinstance(translated(grpc.StatusCode.UNKNOWN, text), errors.AlreadyExists)


async def test_a_runtime_that_is_not_there_is_unavailable() -> None:
    async with CriRuntime("unix:///nonexistent/containerd.sock") as runtime:
        with pytest.raises(errors.RuntimeUnavailable):
            await runtime.version()


async def test_a_closed_client_is_unavailable() -> None:
    runtime = CriRuntime("unix:///nonexistent/containerd.sock")
    await runtime.close()
    with pytest.raises(errors.RuntimeUnavailable):
        await runtime.version()


async def test_a_call_that_hangs_is_given_up(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "s"))
        silent.listen()
        async with CriRuntime(f"unix://{tmp_path}/s", patience=0.05) as runtime:
            with pytest.raises(errors.RuntimeTimeout):
                await runtime.start_container("c")
