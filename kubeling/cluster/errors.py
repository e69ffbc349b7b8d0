"""Errors of a cluster's life on this machine. Each message is one sentence; `hint` says what to do about it.

ClusterError                 exit code 1
├── HomeError                the home directory is not usable: another's, or cannot be written
├── PortBusy                 another process listens there
├── PreflightError           root or a program of the system is missing
├── KubeconfigError          the user's kubeconfig cannot be read or written
├── AlreadyRunning           a second `up` of one home
├── StartFailed              a process of the cluster did not come up
├── ApiFailed                the API server refused or cannot be reached
├── StorageFailed            a backup or restoration did not succeed
├── UsageError               exit code 2: an option's value makes no sense
└── NotRunning               exit code 3: the command needs a running cluster
"""

from collections.abc import Sequence


class ClusterError(Exception):
    exit_code = 1

    def __init__(self, message: str, *, hint: str = "", details: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details = details
        """The last lines of a log, where they explain the error."""


class HomeError(ClusterError):
    pass


class PortBusy(ClusterError):
    pass


class PreflightError(ClusterError):
    pass


class KubeconfigError(ClusterError):
    pass


class AlreadyRunning(ClusterError):
    pass


class StartFailed(ClusterError):
    pass


class ApiFailed(ClusterError):
    pass


class StorageFailed(ClusterError):
    pass


class UsageError(ClusterError):
    exit_code = 2


class NotRunning(ClusterError):
    exit_code = 3
