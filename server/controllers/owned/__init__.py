"""What all controllers have in common that make pods or other objects and own them.

Keeping account of own writes (`expectations`), adopting and releasing (`ownership`), making and deleting pods
with events (`pod_control`), many at once with care (`slow_start`), and what a pod is worth (`pods`).
"""
