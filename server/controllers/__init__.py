"""The controllers of the control plane: a module or a package each, all on the runner of `kubeling.client`.

They know the API through a client only and work the same in the server's process and over HTTP.
"""

from server.controllers.context import Settings
from server.controllers.start import API_SERVER, Controllers, start_controllers

__all__ = ["API_SERVER", "Controllers", "Settings", "start_controllers"]
