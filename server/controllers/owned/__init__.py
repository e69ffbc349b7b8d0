"""What all controllers have in common that make pods or other objects and own them.

Keeping account of own writes (`expectations`), adopting and releasing (`ownership`), making and deleting pods
with events (`pod_control`), many at once with care (`slow_start`), what a pod is worth (`pods`), whom its
changes wake (`waking`) and how soon (`pace`), nothing where the namespace goes (`leaving`), names for
templates (`template_hash`) and histories of them (`revisions`).
"""
