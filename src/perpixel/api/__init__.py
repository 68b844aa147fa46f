"""One function a verb; each is also a command of the same name, but `load` and `use_language`."""

from perpixel.api.data_verbs import check, convert
from perpixel.api.demo_verb import demo
from perpixel.api.doctor_verb import doctor
from perpixel.api.evaluation_verbs import compare, evaluate, prune
from perpixel.api.export_verbs import export, push
from perpixel.api.language_choice import use_language
from perpixel.api.prediction_verbs import load, next_images, predict
from perpixel.api.serving_verbs import annotate, serve
from perpixel.api.training_verbs import find_lr, plan, speaks, train

__all__ = [
    "annotate",
    "check",
    "compare",
    "convert",
    "demo",
    "doctor",
    "evaluate",
    "export",
    "find_lr",
    "load",
    "next_images",
    "plan",
    "predict",
    "prune",
    "push",
    "serve",
    "speaks",
    "train",
    "use_language",
]
