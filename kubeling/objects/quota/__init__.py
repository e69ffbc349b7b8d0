"""What ResourceQuotas count: how much of which resource an object takes, and which quotas that concerns.

Pure, so that admission, which charges, and the quota controller, which counts anew, agree by construction.
"""

from kubeling.objects.quota.evaluator import Evaluator, matches, requirements
from kubeling.objects.quota.evaluators import counted_in, evaluator_of

__all__ = ["Evaluator", "counted_in", "evaluator_of", "matches", "requirements"]
