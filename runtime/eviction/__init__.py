"""What a node does when it runs short of memory, disk or processes: it reclaims, then evicts pods."""
