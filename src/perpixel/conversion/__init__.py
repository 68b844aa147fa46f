"""Write what was understood of a folder in a plain form that other programs read, too."""

from perpixel.conversion.convert import FORMATS, Converted, write_conversion

__all__ = ["FORMATS", "Converted", "write_conversion"]
