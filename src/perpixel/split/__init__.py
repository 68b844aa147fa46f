"""Divide samples into training, validation and test so that nothing leaks from one to another."""

from perpixel.split.divide import refuse_too_few, split
from perpixel.split.groups import groups_of
from perpixel.split.parts import PARTS, Split, SplitPart

__all__ = ["PARTS", "Split", "SplitPart", "groups_of", "refuse_too_few", "split"]
