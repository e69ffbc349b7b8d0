"""The kinds of the core API group: a strategy per module, registered in `kinds`."""
