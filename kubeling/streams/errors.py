"""Errors of the streams.

    StreamError
    ├── ProtocolError       the peer does not keep to the protocol
    ├── StreamReset         the peer gave one stream up (SPDY RST_STREAM)
    └── DialError           a backend cannot be reached, or does not answer in HTTP

A connection that ends is no error of ours: OSError (ConnectionResetError) as asyncio raises it, or the end of
the bytes.
"""


class StreamError(Exception):
    """Root of the errors of this package."""


class ProtocolError(StreamError):
    """What came does not follow the protocol; the connection is of no use any more."""


class StreamReset(StreamError):
    """The peer aborted one stream."""


class DialError(StreamError):
    """No connection, or no HTTP answer, from a backend."""
