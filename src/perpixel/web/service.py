"""Everything that the routes share: the model, the images, the worker."""

from dataclasses import dataclass, field
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING, Final

import numpy as np
from starlette.exceptions import HTTPException
from starlette.requests import Request

from perpixel.files.parse import parse_json
from perpixel.files.whole_file import text_of
from perpixel.labels.labels import Labels
from perpixel.runtime.json_values import JsonObject
from perpixel.store.run_folder import Run
from perpixel.web.label_store import LabelStore
from perpixel.web.library import Library, LibraryImage
from perpixel.web.prediction_layers import LayerStore
from perpixel.web.previews import PreviewStore
from perpixel.web.serve_options import ServeOptions
from perpixel.web.tiles import OpenPyramids
from perpixel.web.training_job import TrainingJob
from perpixel.web.worker import Worker

if TYPE_CHECKING:
    from perpixel.prediction import Predictor

SAVING_SECONDS: Final = 1.0


@dataclass
class Model:
    """What answers, and what is known of it.

    Args:
        predictor: The network and its codec.
        path: The run folder or model file.
        name: What the page calls it.
    """

    predictor: "Predictor"
    path: Path
    name: str

    def warm_up(self) -> None:
        """Predict a blank image, so that the first real one does not wait for what is set up once."""
        codec = self.predictor.codec
        self.predictor.target(np.zeros((256, 256, codec.channels), codec.dtype))

    @property
    def run(self) -> Run | None:
        """Its run folder; None for a lone model file."""
        return Run.open(self.path) if (self.path / "settings.yaml").is_file() else None


@dataclass
class Service:
    """What a server holds while it runs.

    Args:
        options: Address and limits.
        labels: The classes.
        model: What predicts; None before anything is trained.
        library: The images.
        folder: Of the server's own, for uploads and predictions; it is removed at the end.
        label_store: What is painted; None where the server is for looking only.
        training: What trains on it.
        base: The model that every training starts from; None for the public weights.
        other: What was trained and does not answer, or answered before: to compare, and to use instead.
    """

    options: ServeOptions
    labels: Labels
    model: Model | None
    library: Library
    folder: Path
    label_store: LabelStore | None = None
    training: TrainingJob | None = None
    base: Path | None = None
    other: Model | None = None
    pyramids: OpenPyramids = field(default_factory=OpenPyramids)
    worker: Worker = field(init=False)
    layers: LayerStore = field(init=False)
    other_layers: LayerStore = field(init=False)
    previews: PreviewStore = field(init=False)

    def __post_init__(self) -> None:
        self.worker = Worker(self.options.places)
        self.layers = LayerStore(self.folder, self.pyramids)
        self.other_layers = LayerStore(self.folder / "other", self.pyramids)
        self.previews = PreviewStore(len(self.labels))
        self._saving: Timer | None = None
        if self.model is not None:
            self.worker.soon(self.model.warm_up)

    def settle(self, path: Path, predictor: "Predictor", is_better: bool) -> None:
        """Take a model that was trained here: it answers from here on, or is kept for comparison."""
        self.other = Model(predictor, path, f"{path.parent.parent.name}/{path.parent.name}")
        self.other_layers.forget_all()
        if is_better:
            self.swap()

    def swap(self) -> None:
        """Let the other model answer, and keep the one that answered. There has to be another one."""
        assert self.other is not None, "there is another model"
        self.model, self.other = self.other, self.model
        self.layers.forget_all()
        self.other_layers.forget_all()
        if self.training is not None:
            self.training.save_in_use(self.model.path, self.base)

    def save_soon(self) -> None:
        """Write the label images a second from now, however many strokes there are until then."""
        store = self.label_store
        if store is not None and (self._saving is None or not self._saving.is_alive()):
            self._saving = Timer(SAVING_SECONDS, store.save)
            self._saving.start()

    def close(self) -> None:
        """Finish the work that has begun, write all labels, and let go of all files."""
        self.worker.close()
        if self.training is not None:
            self.training.stop()
        if self._saving is not None:
            self._saving.join()
        if self.label_store is not None:
            self.label_store.save()
        self.pyramids.close()

    @property
    def predictor(self) -> "Predictor":
        """The model's. Raises HTTPException 409 where none is trained yet."""
        if self.model is None:
            raise HTTPException(409, "no model is trained yet.")
        return self.model.predictor

    def image(self, request: Request) -> LibraryImage:
        """The image that a path names. Raises HTTPException 404."""
        try:
            return self.library.find(request.path_params["image"])
        except KeyError:
            raise HTTPException(404, "there is no such image.") from None

    def described(self) -> JsonObject:
        """What `GET /v1/model` answers."""
        labels = self.labels
        classes = [
            {"name": name, "colour": "#{:02x}{:02x}{:02x}".format(*colour), "is_background": k == labels.background}
            for k, (name, colour) in enumerate(zip(labels.names, labels.colours, strict=True))
        ]
        described: JsonObject = {
            "kind": labels.kind,
            "classes": classes,
            "is_trained": self.model is not None,
            "can_paint": self.label_store is not None,
            "name": None,
            "other": self.other.name if self.other is not None else None,
            "channels": None,
            "dtype": None,
            "scores": None,
            "report": False,
        }
        if self.model is not None:
            codec, run = self.model.predictor.codec, self.model.run
            described |= {"name": self.model.name, "channels": codec.channels, "dtype": codec.dtype}
            if run is not None:
                described |= {"scores": _scores(run), "report": run.report_path.is_file()}
        return described


def _scores(run: Run) -> JsonObject | None:
    """Mean IoU and the IoU of every class with their intervals, where the run was evaluated."""
    try:
        stored = parse_json(text_of(run.evaluation_folder / "metrics.json"), "metrics.json")
        spans = stored["intervals"]
        classes = [
            {"name": name, "iou": scores["iou"], "interval": spans["classes"][name]["iou"]}
            for name, scores in stored["classes"].items()
        ]
        return {
            "split": stored["split"],
            "images": stored["images"],
            "mean_iou": stored["dataset"]["mean_iou"],
            "interval": spans["dataset"]["mean_iou"],
            "classes": classes,
        }
    except (OSError, ValueError, KeyError, TypeError):
        return None
