"""Remembers owners that were found not to exist: uids do not come back."""

from collections import OrderedDict

from server.controllers.garbage.identity import Coordinates

SIZE = 500


class AbsentOwners:
    """The last so many; whoever is forgotten is asked for again."""

    def __init__(self, size: int = SIZE) -> None:
        self._size = size
        self._known: OrderedDict[Coordinates, None] = OrderedDict()

    def add(self, owner: Coordinates) -> None:
        self._known[owner] = None
        self._known.move_to_end(owner)
        if len(self._known) > self._size:
            self._known.popitem(last=False)

    def __contains__(self, owner: Coordinates) -> bool:
        if owner not in self._known:
            return False
        self._known.move_to_end(owner)
        return True
