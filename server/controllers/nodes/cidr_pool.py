"""Equal parts of a network, each given to one owner at most. The cost does not grow with their number."""

from ipaddress import IPv4Network, IPv6Network, ip_network

Network = IPv4Network | IPv6Network


class CidrPool:
    def __init__(self, network: Network, prefix: int) -> None:
        """Parts of `prefix` bits; of a smaller network there is one part, itself."""
        self._network = network
        self._prefix = max(prefix, network.prefixlen)
        self._shift = network.max_prefixlen - self._prefix
        self._size = 1 << (self._prefix - network.prefixlen)
        self._taken: set[int] = set()
        self._next = 0

    def take(self) -> str | None:
        """The next part that is free, going round; None when there is none."""
        if len(self._taken) == self._size:
            return None
        while self._next in self._taken:
            self._next = (self._next + 1) % self._size
        found = self._next
        self._taken.add(found)
        self._next = (found + 1) % self._size
        start = int(self._network.network_address) + (found << self._shift)
        kind = IPv4Network if self._network.version == 4 else IPv6Network
        return str(kind((start, self._prefix)))

    def occupy(self, cidr: str) -> None:
        """Somebody has it already: all the parts that it meets are taken."""
        self._taken.update(self._parts(cidr))

    def release(self, cidr: str) -> None:
        self._taken.difference_update(self._parts(cidr))

    def _parts(self, cidr: str) -> range:
        found = ip_network(cidr, strict=False)
        if found.version != self._network.version or not found.overlaps(self._network):
            return range(0)
        base = int(self._network.network_address)
        first = (int(found.network_address) - base) >> self._shift
        last = (int(found.broadcast_address) - base) >> self._shift
        return range(max(first, 0), min(last, self._size - 1) + 1)
