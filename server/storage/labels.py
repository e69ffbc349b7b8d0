"""Equal labels are held once: the replicas of a thousand have as many maps of labels, all the same."""

from collections.abc import Mapping

LARGEST = 4096
"""So many different ones are known at a time; beyond, they are forgotten all at once, and shared anew."""

_known: dict[tuple[tuple[str, str], ...], Mapping[str, str]] = {}


def shared(labels: Mapping[str, str]) -> Mapping[str, str]:
    """Labels equal to these, in the same order; perhaps others' who asked before. Read them only."""
    if len(_known) >= LARGEST:
        _known.clear()
    try:
        return _known.setdefault(tuple(labels.items()), labels)
    except TypeError:  # stored by somebody else, with values that are no strings
        return labels
