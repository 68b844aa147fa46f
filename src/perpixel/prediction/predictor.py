"""The predictor: arrays in memory, and files a piece at a time."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from perpixel.prediction.arrays import ArrayPredictor
from perpixel.prediction.files import Progress, Written, predict_file, predict_files
from perpixel.prediction.outputs import Outputs


class Predictor(ArrayPredictor):
    """Predicts images of any size, from memory and from files."""

    def predict_file(
        self, path: Path | str, out: Path | str, outputs: Outputs | None = None, progress: Progress | None = None
    ) -> Written:
        """Predict one image file, all its pages, into the folder `out`; see `prediction.files.predict_file`."""
        return predict_file(self, Path(path), Path(out), outputs or Outputs(), progress)

    def predict_files(
        self,
        paths: Sequence[Path | str],
        out: Path | str,
        outputs: Outputs | None = None,
        progress: Progress | None = None,
    ) -> Iterator[Written]:
        """Predict many image files, giving each when it is written; see `perpixel.prediction.files.predict_files`."""
        return predict_files(self, [Path(path) for path in paths], Path(out), outputs or Outputs(), progress)
