"""Nodes whose pods run no containers, but walk the node agent's own state machine: one process, thousands."""
