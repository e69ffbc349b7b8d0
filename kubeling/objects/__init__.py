"""Pure functions on Kubernetes objects, held as plain dicts, and the clock and tasks that everyone shares.

Nothing in here imports anything else of the project.
"""
