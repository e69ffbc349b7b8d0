"""One container: what the runtime is told, its start, its hooks, its stop."""
