"""The kinds of each API group: a module (or package) per group, with its strategies and its `KINDS`."""
