"""Whether the node takes a pod: room, ports, selectors, taints, and what kernel and runtime can do."""
