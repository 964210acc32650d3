"""PostHog's models of stored objects: the fields of its queries, metrics and filters, and what their kinds ignore.

PostHog stores any JSON as a query and validates it when the insight is opened. Its models reject unknown fields, and
some fields that they accept have no effect. Both are found here before anything is stored.
"""

from .cohorts import CONDITIONS, condition_flaws
from .flaw import Flaw, as_sentence, within
from .metrics import metric_flaws
from .queries import query_flaws

__all__ = ["CONDITIONS", "Flaw", "as_sentence", "condition_flaws", "metric_flaws", "query_flaws", "within"]
