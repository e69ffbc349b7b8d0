"""The scheduler: takes pods without a node, finds the node that suits best, and binds them.

It knows the API through a client only. What it decides by are plug-ins (`plugins`), a module each, which
`framework` describes; `cycle` is one pod's turn.
"""

from server.scheduler.configuration import Configuration, ConfigurationError
from server.scheduler.configuration import load as load_configuration
from server.scheduler.scheduler import Scheduler, start_scheduler

__all__ = ["Configuration", "ConfigurationError", "Scheduler", "load_configuration", "start_scheduler"]
