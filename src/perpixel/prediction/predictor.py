"""The predictor: arrays in memory, and files a piece at a time."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import overload

from perpixel.prediction.arrays import ArrayPredictor
from perpixel.prediction.files import RowProgress, predict_file, predict_files
from perpixel.prediction.in_memory import ImageLike, Prediction, Predictions, read_given
from perpixel.prediction.outputs import Outputs
from perpixel.prediction.predicted_files import Written


class Predictor(ArrayPredictor):
    """Predicts images of any size, from memory and from files."""

    @overload
    def predict(self, image: list[ImageLike]) -> Predictions: ...
    @overload
    def predict(self, image: ImageLike) -> Prediction: ...
    def predict(self, image: ImageLike | list[ImageLike]) -> Prediction | Predictions:
        """Predict an image, or a list of them.

        Args:
            image: A path, a PIL image, or an array (H, W) or (H, W, C) of the training images' dtype; or a list.

        Returns:
            The prediction: `.mask`, `.probabilities`, `.areas`, `.objects`, `.overlay()`, `.plot()`, `.save()`; of a
            list one for each.

        Raises:
            DataError: It is no image, or not like the training images.
        """
        if isinstance(image, list | tuple):
            return Predictions(tuple(map(self._predicted, image)))
        return self._predicted(image)

    def _predicted(self, image: ImageLike) -> Prediction:
        labels = self.codec.labels
        name, pixels, georeference = read_given(image, self.codec.channels)
        mask, probabilities = self.both(pixels, name)
        return Prediction(name, pixels, mask, probabilities, labels, georeference)

    def predict_file(
        self, path: Path | str, out: Path | str, outputs: Outputs | None = None, progress: RowProgress | None = None
    ) -> Written:
        """Predict one image file, all its pages, into the folder `out`; see `prediction.files.predict_file`."""
        return predict_file(self, Path(path), Path(out), outputs or Outputs(), progress)

    def predict_files(
        self,
        paths: Sequence[Path | str],
        out: Path | str,
        outputs: Outputs | None = None,
        progress: RowProgress | None = None,
    ) -> Iterator[Written]:
        """Predict many image files, giving each when it is written; see `perpixel.prediction.files.predict_files`."""
        return predict_files(self, [Path(path) for path in paths], Path(out), outputs or Outputs(), progress)
