"""The kinds of the apps API group: a strategy per module, registered in `kinds`."""
