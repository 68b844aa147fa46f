"""What a few strokes tell at once: features of every pixel that nobody has trained for them, and a quick learner.

`stroke_learner` is the preview of the page; `propagation` carries strokes on to the pixels that it is sure of.
"""

from perpixel.models.strokes.propagation import Stroked, propagated

__all__ = ["Stroked", "propagated"]
