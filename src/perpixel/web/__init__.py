"""The page and the interface for programs: look at a model, correct it with a brush, train on.

`serving` builds the server; `perpixel serve` and `perpixel annotate` run it.
"""

from perpixel.web.serve_options import ServeOptions
from perpixel.web.server import serve_until_stopped, serving

__all__ = ["ServeOptions", "serve_until_stopped", "serving"]
