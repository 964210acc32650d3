"""Find the likely cause of a HogQL syntax error."""

from .names import written
from .suspicion import Suspicion
from .trying import suspect

__all__ = ["Suspicion", "suspect", "written"]
