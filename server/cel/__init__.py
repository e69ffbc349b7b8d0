"""The Common Expression Language as Kubernetes speaks it, for rules over objects.

An expression is parsed, checked against declared types, its cost estimated, and compiled to closures that
count what they cost: what they may cost bounds the work that a stranger's rule can make. Values are JSON as
Python has it. Nothing here knows what the expressions are for. Import it when there is one.
"""
