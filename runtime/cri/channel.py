"""Opens gRPC channels to a runtime's socket. Not responsible for what is said over them."""

import os

# Child processes are started by vfork and exec; gRPC's fork handlers only get in the way and write warnings.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")

import grpc.aio

MAX_MESSAGE = 16 * 1024 * 1024  # bytes; what containerd itself sends at most

_OPTIONS = [
    ("grpc.max_receive_message_length", MAX_MESSAGE),
    ("grpc.max_send_message_length", MAX_MESSAGE),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 500),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.default_authority", "localhost"),
]


def open_channel(endpoint: str) -> grpc.aio.Channel:
    """A lazy channel to `unix:///path` (or any gRPC target); it connects on first use and reconnects."""
    return grpc.aio.insecure_channel(endpoint, options=_OPTIONS)
