"""The kinds of the batch API group: a strategy per module, registered in `kinds`."""
