"""The garbage collector: an object goes when its owners are gone, and owners wait for or orphan dependents.

informers ──> graph ──attempt──> collector ──delete, patch──> server
   ▲            └────orphan───> orphaning ─────────┘
monitors (discovery, definitions, APIServices)
"""

from server.controllers.garbage.controller import make

__all__ = ["make"]
