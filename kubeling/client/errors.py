"""The client's own errors, beside the API errors of `kubeling.objects.errors`.

    Exception
    ├── ConnectionLost       the server could not be reached, or went away in the middle of an answer
    ├── KubeconfigError      a kubeconfig cannot be read or names something that is missing (a ValueError)
    ├── TemporaryError       a reconciler asks to be tried again, after `delay` seconds or with backoff
    └── PermanentError       a reconciler says that trying again is useless until the object changes

The last two are raised by reconcilers and read by `runner` only.
"""


class ConnectionLost(Exception):
    """No answer, or half of one: whether the request took effect is unknown."""


class KubeconfigError(ValueError):
    """A kubeconfig cannot be used; the message names the file and says why."""


class TemporaryError(Exception):
    """Try this key again: after `delay` seconds where given, else with the queue's backoff."""

    def __init__(self, message: str, *, delay: float | None = None) -> None:
        super().__init__(message)
        self.delay = delay


class PermanentError(Exception):
    """Do not try this key again until something about it changes."""
