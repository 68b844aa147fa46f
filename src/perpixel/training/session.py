"""Everything that a training step needs, made from settings and data, and the step itself."""

import math
from collections.abc import Generator, Sequence
from contextlib import nullcontext

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from perpixel.dataset import Dataset, Sample
from perpixel.errors import SettingsError
from perpixel.language.notices import LOGGER
from perpixel.metrics import Counts, count
from perpixel.models import SegmentationModel
from perpixel.prediction import PredictOptions, Predictor
from perpixel.runtime.hardware import is_out_of_memory
from perpixel.settings.tree import Settings, changed
from perpixel.shapes import AnyArray
from perpixel.store.model_file import ModelCard
from perpixel.training.averaging import Average, StateDict
from perpixel.training.difficulty import tally_of
from perpixel.training.fine_tuning import Base, take_over
from perpixel.training.loading.batches import Batch, Batches, PixelStore, batches_ahead
from perpixel.training.loggers import watched
from perpixel.training.optimiser import load_gathered, optimiser_for
from perpixel.training.propagating import PropagatedLabels
from perpixel.training.ranks import ranks_for
from perpixel.training.schedule import LearningRate, StepSchedule, learning_rate_share
from perpixel.training.step import StepResult, freeze, hardware_for, loss_for, loss_of, set_training_mode
from perpixel.training.validation import Validation, monitored, validate


class Session:
    """A network in training: its optimiser, its batches, its loss, its device.

    Args:
        settings: All of it, resolved.
        dataset: Where images are read from.
        parts: Training and validation samples.
        card: What the network is.
        base: What its weights are taken from, instead of the public ones of its encoder.
        labels: What training takes instead of the labels in the files.

    Attributes:
        notes: What was taken from the base, and which labels were extended, in sentences.
        dataset: Where images are read from.
        loss: (logits, target) → scalar, over all processes.
        validation_loss: The same, of this process.
        ranks: The processes that share every batch and every validation.
        tallied: Number of training images whose difficulty counts: all for `train.hard_example_fraction`, else none.
        accumulate: Micro-batches of a batch; more where the memory asks for it.
    """

    def __init__(
        self,
        settings: Settings,
        dataset: Dataset,
        parts: tuple[Sequence[Sample], Sequence[Sample]],
        card: ModelCard,
        base: Base | None = None,
        labels: PropagatedLabels | None = None,
    ) -> None:
        train = settings.train
        self.card = card
        self.settings = settings
        self.validation_samples = parts[1]
        self.tallied = len(parts[0]) if train.hard_example_fraction else 0
        self.dataset = dataset
        self.ranks = ranks_for(train)
        self.accumulate = train.accumulate
        torch.manual_seed(settings.seed)
        self._hardware = hardware_for(train)
        network = card.build(settings.model.weights if base is None else "none")
        self.notes = [] if base is None else take_over(base, network, card)
        network.to(memory_format=self._hardware.memory_format)  # type: ignore[call-overload] # torch's stubs leave it out
        self._loss_weights = network.loss_weights
        self.ranks.to_device(network)
        self._average = Average(network, train.ema) if train.ema else None
        if self.ranks.number > 1 and self._hardware.device == "cuda":
            nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call] # in place
        freeze(network, train, card.codec.channels)
        self.network = network
        self.optimiser = optimiser_for(network, train)
        self._moved = [weight for group in self.optimiser.param_groups for weight in group["params"]]
        self._module, self._optimiser = self.ranks.joined(network, self.optimiser)
        self._train_mode()
        classes = card.codec.labels
        self.loss = loss_for(train, classes, reduce=self.ranks.reduce)
        self.validation_loss = loss_for(train, classes)
        self.monitored = monitored(train.monitored.name, train.monitored.options, classes)
        labels = labels or PropagatedLabels()
        self.notes += labels.notes
        views = changed(settings, {"train.labelled_crops": False}).train if labels.targets else train
        store = PixelStore(dataset, parts[0], card.scale, settings.data.cache_mb, labels.targets)
        self.batches = Batches(store, card.codec, views, settings.augment, settings.seed)

    @property
    def judged(self) -> SegmentationModel:
        """What is validated and kept: the running mean of the weights where `train.ema` asks for one."""
        return self.network if self._average is None else self._average.network

    def stream(self, first: int, errors: NDArray[np.float64] | None = None) -> Generator[Batch]:
        """Batches from a step on, read ahead; `errors` as they take them."""
        slots = self.ranks.share(range(self.settings.train.batch_size))
        return batches_ahead(lambda step: self.batches(step, slots, errors), first)

    def learning_rate(self, number: int, schedule: StepSchedule) -> LearningRate:
        """What the schedule of the settings has for step `number` (from 0)."""
        train = self.settings.train
        progress = schedule.progress(number)
        if train.step_share:
            drops = math.floor(progress / train.step_share + 1e-9)
        else:
            drops = number // self.batches.steps_per_epoch // train.step_epochs
        share = learning_rate_share(progress, train.schedule, train.warmup, drops, train.step_factor)
        return LearningRate(train.learning_rate, share)

    def step(self, number: int, batch: Batch, rate: LearningRate) -> StepResult:
        """Take training step `number` (from 0) unless the loss or its gradient is not finite.

        Args:
            number: Decides what is random in it.
            batch: This process's slots.
            rate: The learning rate.

        Raises:
            SettingsError: The memory does not hold a single crop.
        """
        while True:
            try:
                return self._step(number, batch, rate)
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
            self._take_smaller_parts()  # outside, where the failed step's tensors are gone

    def _step(self, number: int, batch: Batch, rate: LearningRate) -> StepResult:
        train = self.settings.train
        entropy = [self.settings.seed, number, self.ranks.rank]
        torch.manual_seed(int(np.random.SeedSequence(entropy).generate_state(1)[0]))
        if not self.network.training:  # since the last validation
            self._train_mode()
        for group in self.optimiser.param_groups:
            group["lr"] = rate.highest * group["factor"] * rate.share
        self._optimiser.zero_grad()
        parts = min(self.accumulate, train.batch_size // self.ranks.number)
        pieces = zip(batch.image.tensor_split(parts), batch.target.tensor_split(parts), strict=True)
        value, predictions = 0.0, []
        terms = dict.fromkeys(self.loss.names, 0.0)
        for index, (image, target) in enumerate(pieces, 1):
            with self.ranks.without_exchange(self._module) if index < parts else nullcontext():
                loss, term, prediction = self._pass(image, target)
                self.ranks.backward(loss / parts)
            value += float(loss.detach()) / parts
            terms = {name: total + float(term[name].detach()) / parts for name, total in terms.items()}
            predictions.append(prediction)
        norm = nn.utils.clip_grad_norm_(self._moved, train.clip_norm or float("inf"))
        if np.isfinite(value) and bool(torch.isfinite(norm)):
            self._optimiser.step()
            if self._average is not None:
                self._average.update(self.network)
        else:
            value = float("nan")
        counts, tally = self._answers(np.concatenate(predictions), batch)
        return StepResult(value, terms, train.batch_size, counts, tally, rate.value)

    def _pass(self, image: Tensor, target: Tensor) -> tuple[Tensor, dict[str, Tensor], AnyArray]:
        """The loss of a micro-batch, its terms, and what is predicted for it."""
        image = self.ranks.to_device(image.contiguous(memory_format=self._hardware.memory_format))
        target, forward = self.ranks.to_device(target), self._module.training_outputs
        loss, terms, logits = loss_of(forward, image, target, self.loss, self._loss_weights, self._hardware)
        with torch.no_grad():
            prediction = self.card.codec.answer(logits)
        return loss, terms, prediction.cpu().numpy()

    def _answers(self, prediction: AnyArray, batch: Batch) -> tuple[Counts, NDArray[np.int64]]:
        """Right and wrong pixels of a batch, by class and by image, over all processes."""
        labels, truth = self.card.codec.labels, batch.target.to(torch.uint8).numpy()
        counts = self.ranks.total_counts(count(prediction, truth, classes=len(labels), kind=labels.kind))
        if not self.tallied:
            return counts, np.zeros((2, 0), np.int64)
        return counts, self.ranks.total(tally_of(prediction, truth, batch.places, self.tallied))

    def _take_smaller_parts(self) -> None:
        """Halve what goes through the network at once."""
        train = self.settings.train
        if self._hardware.device == "cuda":
            torch.cuda.empty_cache()
        if self.ranks.number > 1:
            raise SettingsError(
                f"the memory of process {self.ranks.rank} does not hold its part of a batch.",
                fix=f"start again with train.accumulate={2 * self.accumulate}.",
            )
        if self.accumulate >= train.batch_size:
            height, width = train.crop_hw
            raise SettingsError(
                f"the memory does not hold a single crop of {height} × {width} pixels.",
                fix="choose smaller crops, such as train.crop_hw=[128,128], or a smaller network.",
            )
        self.accumulate = min(2 * self.accumulate, train.batch_size)
        LOGGER.warning(
            "the memory does not hold a batch of %d at once: it goes through the network in %d parts "
            "(train.accumulate).",
            train.batch_size,
            self.accumulate,
        )

    def validate(self) -> Validation:
        """Score the validation images whole, each in one of the processes."""
        self.ranks.equalise(self.judged)
        mine = self.ranks.share(self.validation_samples)
        return self.ranks.total_validation(validate(self.predictor(), self.dataset, mine, self.validation_loss))

    def pictures(self, number: int) -> dict[str, NDArray[np.uint8]]:
        """The first validation images beside truth and prediction, by name; see `watching.watched`."""
        predictor, shown = self.predictor(), {}
        for sample in self.validation_samples[:number]:
            image = self.dataset.image(sample)
            prediction = predictor.target(image, str(sample.image))
            shown[sample.name] = watched(image, self.dataset.target(sample), prediction, self.card.codec.labels)
        return shown

    def predictor(self) -> Predictor:
        """What is judged, as it stands, ready to predict."""
        options = PredictOptions(
            scale=self.card.scale, precision=self._hardware.precision, device=self._hardware.device
        )
        predictor = Predictor(self.judged, self.card.codec, options=options)
        predictor.is_on_own_data = True
        return predictor

    def state(self) -> StateDict:
        """All that steps change, by name; the tensors themselves."""
        state = {"network": self.network.state_dict(), "optimiser": self.optimiser.state_dict()["state"]}
        return state if self._average is None else {**state, "average": self._average.state_dict()}

    def load(self, state: StateDict) -> None:
        """Go back to a `state`."""
        self.network.load_state_dict(state["network"])
        load_gathered(self.optimiser, state["optimiser"])
        if self._average is not None:
            self._average.load_state_dict(state["average"])

    def _train_mode(self) -> None:
        """As steps need the network: a validation leaves it in evaluation mode and laid out for prediction."""
        self.network.to(memory_format=self._hardware.memory_format)  # type: ignore[call-overload] # see __init__
        self._module.train()
        set_training_mode(self.network, self.settings.train)
