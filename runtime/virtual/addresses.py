"""Addresses for the pods of one virtual node: out of the node's own range, each for one pod at a time."""

from ipaddress import ip_network
from itertools import count

FALLBACK = "198.18.0.0/15"
"""For nodes that the cluster had no range left for."""


class Addresses:
    """Gives the next free one, round and round, so that an address rests before it comes again."""

    def __init__(self, cidr: str) -> None:
        self._network = ip_network(cidr)
        self._next = 1
        self._used: set[str] = set()

    def take(self) -> str:
        """Where all are in use one is given twice: there are more pods than addresses."""
        last = self._network.num_addresses - 1
        for _ in range(last):
            self._next = self._next + 1 if self._next + 1 < last else 2
            address = str(self._network[self._next])
            if address not in self._used:
                break
        self._used.add(address)
        return address

    def claim(self, address: str) -> None:
        """A pod has it already."""
        self._used.add(address)

    def release(self, address: str) -> None:
        self._used.discard(address)


class Serials:
    """Ids of sandboxes and containers: 64 hexadecimal digits, as containerd's, never the same twice."""

    def __init__(self, seed: str) -> None:
        self._seed = seed.ljust(48, "0")[:48]
        self._count = count(1)

    def next(self) -> str:
        return f"{self._seed}{next(self._count):016x}"
