"""What the user states of a folder beside its classes: in dataset.yaml, or as options that count more."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from perpixel.dataset.annotations.tables import parse_colour
from perpixel.dataset.turns import MaskOrientation
from perpixel.errors import SettingsError
from perpixel.labels.labels import Value
from perpixel.runtime.choices import DuplicatesMode
from perpixel.settings.tree import DataSettings


@dataclass(frozen=True)
class Overrides:
    """What is stated; None, or nothing, where it is not.

    Args:
        images: The folder of the images.
        masks: The folder of the masks.
        pairs: A CSV file of images with their masks.
        mask_orientation: How masks lie where their images are turned by a tag.
        unlabelled: Values in the masks that nobody has labelled; they are ignored, beside what is found to be.
        duplicates: What becomes of images that show the same.
    """

    images: str | None = None
    masks: str | None = None
    pairs: Path | None = None
    mask_orientation: MaskOrientation | None = None
    unlabelled: tuple[Value, ...] = ()
    duplicates: DuplicatesMode | None = None

    def over(self, other: "Overrides") -> "Overrides":
        """These, and the other's where these state nothing."""
        return Overrides(
            self.images or other.images,
            self.masks or other.masks,
            self.pairs or other.pairs,
            self.mask_orientation or other.mask_orientation,
            self.unlabelled or other.unlabelled,
            self.duplicates or other.duplicates,
        )


NOTHING_STATED: Final = Overrides()


def stated_by(settings: DataSettings) -> Overrides:
    """What the settings of a training state of its folder."""
    return Overrides(unlabelled=value_from(settings.unlabelled), duplicates=settings.duplicates)


def value_from(given: int | str | None) -> tuple[Value, ...]:
    """The values that an option names: a whole number, or a colour as "#RRGGBB"; none for None.

    Raises:
        SettingsError: It is neither.

    >>> value_from(0), value_from("255"), value_from("#FF00FF"), value_from(None)
    ((0,), (255,), ((255, 0, 255),), ())
    """
    if given is None:
        return ()
    text = str(given).strip()
    if text.removeprefix("-").isdecimal():
        return (int(text),)
    colour = parse_colour(text)
    if colour is None:
        raise SettingsError(
            f"{text!r} is no value of a mask.", fix='give a whole number such as 0, or a colour such as "#FF00FF".'
        )
    return (colour,)
