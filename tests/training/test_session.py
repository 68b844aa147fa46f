import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from generated import TINY, PlayedTimings, tiny_settings
from perpixel.audit import audit
from perpixel.dataset import scan
from perpixel.errors import SettingsError
from perpixel.losses import WeightedLoss
from perpixel.planning import card_of, facts_of, plan_for
from perpixel.settings.tree import request_from
from perpixel.training.muon import Muon, is_matrix
from perpixel.training.schedule import StepSchedule
from perpixel.training.session import Session
from perpixel.training.timing import time_step, time_validation


@pytest.fixture(scope="module")
def found(cells):
    dataset = scan(cells)
    return dataset, audit(dataset)


def session_of(found, settings):
    dataset, figures = found
    timings = PlayedTimings(lambda settings: 1e9)
    settings = plan_for(settings, facts_of(dataset, figures, dataset.samples[:6]), timings).settings
    return Session(settings, dataset, (dataset.samples[:6], dataset.samples[6:]), card_of(settings, *found))


def encoder_settings(**train):
    return request_from({"model": {"weights": "none"}, "train": {**TINY["train"], **train}})


def test_a_step_moves_the_weights_and_tells_what_it_did(found):
    session = session_of(found, tiny_settings())
    before = session.network.head.weight.detach().clone()
    step = session.step(1, session.batches(1), session.learning_rate(1, StepSchedule(4)))
    assert step.loss > 0
    assert step.images == 2
    assert step.learning_rate == pytest.approx(
        session.settings.train.learning_rate * 0.9330127, rel=1e-6
    )  # cos² of 15 degrees
    assert step.counts.confusion.sum() <= 2 * 32 * 32
    assert not torch.equal(session.network.head.weight, before)


def test_a_network_of_another_library_learns(found):
    model = {"name": "smp/unet", "encoder": "resnet18", "weights": "none"}
    session = session_of(found, request_from({"model": model, "train": TINY["train"]}))
    before = {name: tensor.clone() for name, tensor in session.network.named_parameters()}
    session.step(1, session.batches(1), session.learning_rate(1, StepSchedule(4)))
    assert not any(torch.equal(tensor, before[name]) for name, tensor in session.network.named_parameters())


def test_the_first_weights_depend_on_the_seed_alone(found):
    torch.rand(5)
    one = session_of(found, tiny_settings()).network.state_dict()
    torch.rand(7)
    other = session_of(found, tiny_settings()).network.state_dict()
    assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())


def test_biases_and_norms_do_not_decay_and_the_encoder_has_its_own_rate(found):
    session = session_of(found, encoder_settings(encoder_lr_factor=0.25, weight_decay=0.3))
    session.step(0, session.batches(0), session.learning_rate(0, StepSchedule(1)))
    groups = {}
    names = {id(parameter): name for name, parameter in session.network.named_parameters()}
    for group in session.optimiser.param_groups:
        for parameter in group["params"]:
            groups[names.pop(id(parameter))] = group
    assert not names  # every parameter is in one group
    for name, parameter in session.network.named_parameters():
        group = groups[name]
        assert group["weight_decay"] == (0.3 if parameter.ndim > 1 else 0)
        assert group["factor"] == (0.25 if name.startswith("encoder.") else 1)
        assert group["lr"] == pytest.approx(session.settings.train.learning_rate / 25 * group["factor"])


def test_muon_moves_convolutions_outside_the_encoder(found):
    session = session_of(found, encoder_settings(optimiser="muon"))
    orthogonal = [group for group in session.optimiser.param_groups if group["is_orthogonal"]]
    moved = {id(parameter) for group in orthogonal for parameter in group["params"]}
    named = dict(session.network.named_parameters())
    names = {name for name, parameter in named.items() if id(parameter) in moved}
    assert names == {
        name for name, parameter in named.items() if not name.startswith("encoder.") and is_matrix(parameter)
    }
    assert names


def test_a_frozen_encoder_keeps_weights_and_statistics(found):
    session = session_of(found, encoder_settings(encoder_lr_factor=0))
    before = {name: tensor.clone() for name, tensor in session.network.state_dict().items()}
    session.step(1, session.batches(1), session.learning_rate(1, StepSchedule(4)))
    after = session.network.state_dict()
    changed = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert "encoder" not in changed
    assert changed


@pytest.mark.parametrize("norm", ["batch", "frozen"])
def test_the_first_stages_keep_weights_and_statistics_where_they_are_frozen(found, norm):
    session = session_of(found, encoder_settings(encoder_norm=norm, frozen_stages=2))
    before = {name: tensor.clone() for name, tensor in session.network.state_dict().items()}
    session.step(1, session.batches(1), session.learning_rate(1, StepSchedule(4)))
    after = session.network.state_dict()
    first = ("conv_stem.", "bn1.", "blocks.0.", "blocks.1.")
    for name, value in before.items():
        is_frozen = name.removeprefix("encoder.").startswith(first)
        is_statistic = name.rpartition(".")[2].startswith(("running_", "num_batches"))
        is_kept = is_frozen or (norm == "frozen" and is_statistic and name.startswith("encoder."))
        assert torch.equal(value, after[name]) == is_kept, name


def test_stages_are_not_frozen_where_there_is_no_encoder(found):
    with pytest.raises(
        SettingsError, match=r"train.frozen_stages = 2 freezes .* there is none[\s\S]*Fix: leave train"
    ):
        session_of(found, tiny_settings(frozen_stages=2))


@pytest.mark.parametrize("norm", ["batch", "frozen"])
def test_frozen_statistics_stay_while_all_weights_learn(found, norm):
    session = session_of(found, encoder_settings(encoder_norm=norm))
    before = {name: tensor.clone() for name, tensor in session.network.state_dict().items()}
    session.step(1, session.batches(1), session.learning_rate(1, StepSchedule(4)))
    after = session.network.state_dict()
    same = {name for name in before if torch.equal(before[name], after[name])}
    statistics = {name for name in before if name.rpartition(".")[2].startswith("running_")}
    assert not same & {name for name, _ in session.network.named_parameters()}
    assert same & statistics == (
        {name for name in statistics if name.startswith("encoder.")} if norm == "frozen" else set()
    )


def test_without_a_running_mean_the_network_itself_is_judged(found):
    session = session_of(found, tiny_settings(ema=0.0))
    assert session.judged is session.network
    assert set(session.state()) == {"network", "optimiser"}


def test_the_running_mean_of_the_weights_is_judged(found):
    session = session_of(found, tiny_settings(ema=0.9))
    first = session.network.head.weight.detach().clone()
    session.step(1, session.batches(1), session.learning_rate(1, StepSchedule(4)))
    mean = 0.1 * first + 0.9 * session.network.head.weight.detach()  # of the first step, a tenth is left
    torch.testing.assert_close(session.judged.head.weight, mean)
    image = found[0].image(found[0].samples[0])
    expected = session.predictor().probabilities(image)
    session.network.head.weight.data.zero_()
    np.testing.assert_array_equal(session.predictor().probabilities(image), expected)


def test_a_step_that_is_not_taken_leaves_the_running_mean(found):
    session = session_of(found, tiny_settings(ema=0.9))
    before = {name: tensor.clone() for name, tensor in session.judged.state_dict().items()}
    session.loss = WeightedLoss({"spoiled": (1.0, lambda logits, target: logits.sum() * float("nan"))})
    session.step(1, session.batches(1), session.learning_rate(1, StepSchedule(4)))
    assert all(torch.equal(tensor, before[name]) for name, tensor in session.judged.state_dict().items())


def test_the_terms_of_the_loss_are_told_and_add_up(found):
    session = session_of(found, tiny_settings(loss={"cross_entropy": 0.5, "dice": 2.0}, accumulate=2))
    step = session.step(0, session.batches(0), session.learning_rate(0, StepSchedule(4)))
    assert step.loss == pytest.approx(0.5 * step.terms["cross_entropy"] + 2 * step.terms["dice"], rel=1e-5)
    assert step.terms.keys() == {"cross_entropy", "dice"}


def test_the_rate_drops_at_shares_of_the_training(found):
    train = {"schedule": "step", "step_share": 0.25, "step_factor": 0.5, "learning_rate": 1.0}
    session = session_of(found, tiny_settings(**train))
    rates = [session.learning_rate(number, StepSchedule(8)).value for number in range(8)]
    assert rates == [1, 1, 0.5, 0.5, 0.25, 0.25, 0.125, 0.125]


def test_a_frozen_encoder_is_its_own_mean(found):
    session = session_of(found, encoder_settings(encoder_lr_factor=0, ema=0.5))
    for number in range(2):
        session.step(number, session.batches(number), session.learning_rate(number, StepSchedule(4)))
    network, mean = session.network.state_dict(), session.judged.state_dict()
    other = {name.split(".")[0] for name, tensor in network.items() if not torch.equal(tensor, mean[name])}
    assert other
    assert "encoder" not in other


def test_classes_weigh_in_the_loss_of_training_and_of_validation(found):
    weights = {"foreground": 3.0}  # and 1 for the other
    session = session_of(found, tiny_settings(class_weights=weights, loss={"cross_entropy": 1.0}))
    logits, target = torch.randn(2, 2, 5, 7), torch.randint(0, 2, (2, 5, 7))
    expected = F.cross_entropy(logits, target, weight=torch.tensor([1.0, 3.0]))
    torch.testing.assert_close(session.loss(logits, target), expected)
    torch.testing.assert_close(session.validation_loss(logits, target), expected)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("muon", Muon), ("adamw", torch.optim.AdamW), ("adam", torch.optim.Adam), ("sgd", torch.optim.SGD)],
)
def test_the_optimiser_is_the_one_asked_for(found, name, kind):
    assert type(session_of(found, tiny_settings(optimiser=name)).optimiser) is kind


def test_the_gradient_is_clipped_to_its_norm(found, monkeypatch):
    session = session_of(found, tiny_settings(clip_norm=1e-3, optimiser="sgd", weight_decay=0))
    norms = []
    step = session.optimiser.step

    def looked_at(*arguments, **more):
        norms.append(np.sqrt(sum(float((p.grad**2).sum()) for p in session.network.parameters())))
        return step(*arguments, **more)

    monkeypatch.setattr(session._optimiser, "step", looked_at)
    session.step(0, session.batches(0), session.learning_rate(0, StepSchedule(4)))
    assert norms == pytest.approx([1e-3], rel=1e-3)


@pytest.mark.parametrize("optimiser", ["adam", "adamw", "muon", "sgd"])
@pytest.mark.parametrize("memory_format", ["channels_last", "channels_first"])
def test_a_validation_changes_no_step(found, optimiser, memory_format):
    """It predicts in a memory format of its own."""
    settings = tiny_settings(optimiser=optimiser, memory_format=memory_format)
    weights = []
    for is_validated in (False, True):
        session = session_of(found, settings)
        for number in range(3):
            session.step(number, session.batches(number), session.learning_rate(number, StepSchedule(3)))
            if is_validated:
                session.validate()
        weights.append(session.network.state_dict())
    assert all(torch.equal(tensor, weights[1][name]) for name, tensor in weights[0].items())


@pytest.mark.parametrize("optimiser", ["adam", "adamw", "muon", "sgd"])
def test_what_was_gathered_in_another_memory_format_is_taken_over(found, optimiser):
    last, first = (
        session_of(found, tiny_settings(optimiser=optimiser, memory_format=memory_format))
        for memory_format in ("channels_last", "channels_first")
    )
    last.step(0, last.batches(0), last.learning_rate(0, StepSchedule(1)))
    first.load(copy.deepcopy(last.state()))
    gradients = [torch.randn_like(weight) for weight in last._moved]
    for session in (last, first):
        for group in session.optimiser.param_groups:
            group["lr"] = 1e-2
        for weight, gradient in zip(session._moved, gradients, strict=True):
            weight.grad = torch.empty_like(weight).copy_(gradient)
        session.optimiser.step()
    for one, other in zip(last._moved, first._moved, strict=True):
        torch.testing.assert_close(other, one, rtol=0, atol=1e-6)


def test_a_drop_of_the_rate_comes_after_so_many_epochs(found):
    session = session_of(found, tiny_settings(schedule="step", step_epochs=2, step_factor=0.5))
    epoch = session.batches.steps_per_epoch
    assert epoch == 3
    rates = [session.learning_rate(number, StepSchedule(100)).value for number in range(5 * epoch)]
    assert rates == [2e-3] * 6 + [1e-3] * 6 + [5e-4] * 3


def test_timing_takes_real_steps_and_leaves_the_session_as_it_was(found):
    session = session_of(found, tiny_settings(ema=0.9))
    networks = (session.network, session.judged)
    before = [{name: tensor.clone() for name, tensor in each.state_dict().items()} for each in networks]
    assert time_step(session) > 0
    assert time_validation(session) > 0
    for each, kept in zip(networks, before, strict=True):
        assert all(torch.equal(tensor, kept[name]) for name, tensor in each.state_dict().items())
    assert not session.state()["optimiser"]
    assert session.state()["average"]["steps"] == 0


def test_a_batch_in_parts_has_the_gradient_of_the_whole(found):
    """Of parts of equal size, without batch statistics, for a mean over pixels without ignored ones."""
    plain = {"encoder": None, "options": {"width": 4, "depth": 2, "norm": "none"}}
    weights = []
    for accumulate in (1, 2, 4):
        train = {**TINY["train"], "batch_size": 4, "accumulate": accumulate, "optimiser": "sgd", "learning_rate": 0.5}
        whole = {
            "loss": ["bce", {"name": "dice", "per_image": True}],
            "schedule": "constant",
            "crop_hw": [16, 16],
            "scale": 1.0,
        }
        still = {"rotate_degrees": 0, "zoom": 1}  # nothing from outside an image
        session = session_of(found, request_from({"model": plain, "train": {**train, **whole}, "augment": still}))
        step = session.step(0, session.batches(0), session.learning_rate(0, StepSchedule(4)))
        assert step.images == 4
        assert step.counts.confusion.sum() == 4 * 16 * 16
        weights.append((step.loss, session.network.state_dict()))
    (loss, expected), *others = weights
    for other_loss, other in others:
        assert other_loss == pytest.approx(loss, rel=1e-6)
        for name, tensor in expected.items():
            torch.testing.assert_close(other[name], tensor, rtol=0, atol=1e-6)


def narrow(session, monkeypatch, most, words="CUDA out of memory. Tried to allocate 2.00 GiB"):
    """A network that fits only so many views into the memory."""
    forward, seen = session.network.training_outputs, []

    def outputs(image):
        if len(image) > most:
            raise torch.OutOfMemoryError(words)
        seen.append(len(image))
        return forward(image)

    monkeypatch.setattr(session.network, "training_outputs", outputs)
    return seen


@pytest.mark.parametrize(
    "words",
    ["CUDA out of memory. Tried to allocate 2.00 GiB", "DefaultCPUAllocator: can't allocate memory: you tried"],
)
def test_a_batch_that_the_memory_does_not_hold_goes_in_parts(found, monkeypatch, caplog, words):
    session = session_of(found, tiny_settings(batch_size=5, accumulate=1))
    seen = narrow(session, monkeypatch, 2, words)
    step = session.step(0, session.batches(0), session.learning_rate(0, StepSchedule(4)))
    assert (session.accumulate, seen, step.images) == (4, [2, 1, 1, 1], 5)
    assert [record.message for record in caplog.records] == [
        f"the memory does not hold a batch of 5 at once: it goes through the network in {parts} parts "
        "(train.accumulate)."
        for parts in (2, 4)
    ]


def test_a_crop_that_the_memory_does_not_hold_is_told(found, monkeypatch):
    session = session_of(found, tiny_settings(batch_size=2))
    narrow(session, monkeypatch, 0)
    message = (
        r"the memory does not hold a single crop of 32 × 32 pixels.\n"
        r"Fix: choose smaller crops, such as train.crop_hw=\[128,128\], or a smaller network."
    )
    with pytest.raises(SettingsError, match=message):
        session.step(0, session.batches(0), session.learning_rate(0, StepSchedule(4)))


def test_other_errors_of_torch_are_not_taken_for_memory(found, monkeypatch):
    session = session_of(found, tiny_settings(batch_size=2))
    narrow(session, monkeypatch, 0, "shapes differ")
    with pytest.raises(RuntimeError, match="shapes differ"):
        session.step(0, session.batches(0), session.learning_rate(0, StepSchedule(4)))


def test_of_several_processes_none_takes_smaller_parts_alone(found, monkeypatch):
    session = session_of(found, tiny_settings(batch_size=2))
    narrow(session, monkeypatch, 0)
    monkeypatch.setattr(session, "ranks", Two())
    message = (
        r"the memory of process 1 does not hold its part of a batch.\n"
        r"Fix: start again with train.accumulate=2."
    )
    with pytest.raises(SettingsError, match=message):
        session._take_smaller_parts()


class Two:
    number, rank = 2, 1
