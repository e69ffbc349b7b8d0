"""The node's errors.

    NodeError
    ├── MachineNotReady         the machine lacks something (a binary, root): the text says what to do
    ├── ImageArchiveError       a file given to `image load` is not an image archive, or is damaged
    └── RuntimeServiceError     a call to the container runtime failed; str() is what upstream prints
        ├── RuntimeUnavailable      the runtime is not there, or went away: try again
        │   └── RuntimeTimeout      the call took longer than its deadline: its effect is unknown
        ├── NotFound                no such container, sandbox or image
        ├── AlreadyExists           the name is reserved (a create that is under way, or was cut off)
        ├── FailedPrecondition      not possible in the present state
        ├── InvalidRequest          the runtime refuses the arguments
        ├── Unimplemented           this runtime does not know the call
        └── RuntimeFailed           all else: the runtime's own message says why

Cancellation of the calling task is never turned into one of these.
"""


class NodeError(Exception):
    """Root of everything that this package raises on purpose."""


class MachineNotReady(NodeError):
    """The machine lacks something; the text is one sentence for the user and says what to do."""


class ImageArchiveError(NodeError):
    """A file is not a usable image archive; the text names what is wrong with it."""


class RuntimeServiceError(NodeError):
    """A CRI call failed.

    `code` is gRPC's name of the code as Go spells it ("NotFound"), `message` the runtime's own text.
    str() gives both the way they stand in Kubernetes' events and container statuses.
    """

    def __init__(self, message: str, *, code: str = "Unknown") -> None:
        super().__init__(message)
        self.message = message
        self.code = code

    def __str__(self) -> str:
        return f"rpc error: code = {self.code} desc = {self.message}"


class RuntimeUnavailable(RuntimeServiceError):
    """The runtime could not be reached, or went away during the call."""


class RuntimeTimeout(RuntimeUnavailable):
    """The call's deadline passed; whether it took effect is unknown."""


class NotFound(RuntimeServiceError):
    """No such container, sandbox or image."""


class AlreadyExists(RuntimeServiceError):
    """The name is taken or reserved."""


class FailedPrecondition(RuntimeServiceError):
    """The object is not in a state that allows the call."""


class InvalidRequest(RuntimeServiceError):
    """The runtime refuses the arguments."""


class Unimplemented(RuntimeServiceError):
    """The runtime does not know this call."""


class RuntimeFailed(RuntimeServiceError):
    """Any other failure that the runtime reports."""
