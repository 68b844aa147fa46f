"""Presets of the augmentation, by the domain of the images: `augment.preset` takes what is not set from one.

A preset says what may change in an image without changing its classes. There are no values for "any image": without
a preset the defaults hold, and the plan looks at the masks for whether the images stand upright.
"""

from typing import Final

PRESETS: Final[dict[str, dict[str, float | bool]]] = {
    "microscopy": {  # no side is up, tissue bends, stain, focus and gain vary
        "horizontal_flip": 0.5,
        "vertical_flip": 0.5,
        "one_flip": False,
        "quarter_turns": True,
        "rotate_degrees": 45.0,
        "zoom": 1.4,
        "translate_px": 0.0,
        "elastic_px": 4.0,
        "brightness": 0.2,
        "contrast": 1.3,
        "gamma": 1.4,
        "saturation": 1.0,
        "colour": 0.0,
        "noise": 0.1,
        "blur_px": 1.0,
    },
    "aerial": {  # no side is up, the distance to the ground is known, and straight lines stay straight
        "horizontal_flip": 0.5,
        "vertical_flip": 0.5,
        "one_flip": False,
        "quarter_turns": True,
        "rotate_degrees": 45.0,
        "zoom": 1.2,
        "translate_px": 0.0,
        "elastic_px": 0.0,
        "brightness": 0.15,
        "contrast": 1.2,
        "gamma": 1.1,
        "saturation": 1.0,
        "colour": 0.0,
        "noise": 0.0,
        "blur_px": 0.0,
    },
    "natural": {  # the sky is up, things are near and far, in sun and in shade
        "horizontal_flip": 0.5,
        "vertical_flip": 0.0,
        "one_flip": False,
        "quarter_turns": False,
        "rotate_degrees": 10.0,
        "zoom": 1.6,
        "translate_px": 0.0,
        "elastic_px": 0.0,
        "brightness": 0.2,
        "contrast": 1.4,
        "gamma": 1.3,
        "saturation": 1.0,
        "colour": 0.0,
        "noise": 0.0,
        "blur_px": 0.0,
    },
}
"""Every preset by name, with all settings of the augmentation. By quarter turns and 45 degrees every angle occurs."""
