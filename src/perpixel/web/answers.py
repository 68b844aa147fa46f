"""What a program can ask of an image, each answer as the file that `perpixel predict` writes."""

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from perpixel.prediction import Outputs, Predictor
from perpixel.web.library import called

FORMS: Final[dict[str, Outputs]] = {
    "mask": Outputs(),
    "probabilities": Outputs(mask=False, probabilities="float32"),
    "instances": Outputs(mask=False, instances="connected"),
    "geojson": Outputs(mask=False, polygons="geojson"),
    "overlay": Outputs(mask=False, overlay=True),
}
MEDIA_TYPES: Final = {
    ".png": "image/png",
    ".tif": "image/tiff",
    ".geojson": "application/geo+json",
    ".zip": "application/zip",
}


@dataclass(frozen=True)
class AnswerFile:
    """One file to send.

    Args:
        path: Where it lies; whoever sends it removes its folder.
        media_type: For the header Content-Type.
    """

    path: Path
    media_type: str


def answered(predictor: Predictor, image: Path, name: str, form: str, folder: Path) -> AnswerFile:
    """Predict an image file.

    Args:
        predictor: The model.
        image: The file.
        name: What messages call it.
        form: A key of `FORMS`.
        folder: An empty one, to write to.

    Returns:
        The file; several, as multilabel masks are, come as one ZIP.

    Raises:
        DataError: The image cannot be read, or is not like the training images.
    """
    with called(image, name):
        written = predictor.predict_file(image, folder, FORMS[form])
    paths = [path for path in written.paths if path.is_file()]
    path = paths[0] if len(paths) == 1 else _zipped(paths, folder)
    return AnswerFile(path, MEDIA_TYPES[path.suffix])


def _zipped(paths: list[Path], folder: Path) -> Path:
    whole = folder / "answer.zip"
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_STORED) as archive:
        for path in paths:
            archive.write(path, f"{path.parent.name}{path.suffix}")
    return whole
