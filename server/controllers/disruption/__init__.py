"""Says in each PodDisruptionBudget's status how many of its pods may be disrupted; evictions ask there.

Also takes back the condition DisruptionTarget from pods that somebody meant to disrupt and did not.
"""

from server.controllers.disruption.controller import make

__all__ = ["make"]
