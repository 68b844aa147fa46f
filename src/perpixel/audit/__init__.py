"""Measure a data set in one streaming pass, and remember the figures until a file changes."""

from perpixel.audit.cache import cache_folder
from perpixel.audit.run import audit
from perpixel.audit.summary import Audit, ClassFigures, from_dict

__all__ = ["Audit", "ClassFigures", "audit", "cache_folder", "from_dict"]
