"""Damaged settings, models, bundles, checkpoints and runs, and what reads them."""

import hashlib
import io
import json
import shutil
import struct
import zipfile
from functools import cache

import numpy as np
import torch
import yaml
from safetensors.torch import load_file, save_file

import perpixel
from fuzz.mutations import damaged, damaged_json, damaged_text, damaged_zip, pick, replaced
from generated import TINY, tiny_settings, write_cells
from perpixel.dataset import scan
from perpixel.errors import RunError
from perpixel.models.weights import read_state
from perpixel.prediction.load import load_predictor
from perpixel.settings.text import settings_from_file
from perpixel.settings.tree import request_from
from perpixel.split import Split
from perpixel.store.bundle import Bundle
from perpixel.store.model_file import KEY, _checksum
from perpixel.store.run_folder import Run
from perpixel.training import resume_run, train_run
from perpixel.training.checkpoint import load_checkpoint
from perpixel.training.setup import prepare_training, reopen_training

IMAGE = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)
LARGEST = 64
"""Numbers of a network; what a larger one takes is not damage."""
EVERY_SETTING = request_from({"train": {"steps": 3}}).model_dump(mode="json")


def make_run(folder):
    """Data, a finished run and its bundle, and a run that was stopped after its first validation."""
    data = write_cells(folder / "data")
    run = train_run(data, folder / "run", tiny_settings())
    perpixel.evaluate(run.folder)
    perpixel.export(run.folder, folder / "bundle")
    with zipfile.ZipFile(folder / "bundle.zip", "w") as archive:
        for path in (folder / "bundle").iterdir():
            archive.write(path, path.name)
    shutil.copytree(run.folder, folder / "stopped")
    (folder / "stopped" / "checkpoints" / "last.safetensors").unlink()
    for path in Run.open(folder / "stopped").checkpoints[:-1]:
        path.unlink()  # the state after step 2 is left


def numbers(tree):
    """All numbers in a tree."""
    values = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list | tuple) else ()
    return [each for value in values for each in numbers(value)] + [tree] * isinstance(tree, int | float)


def settings(folder, draw):
    """A file of settings; half of those that are understood go on to the plan and the network."""
    path = folder / "given.yaml"
    if draw.random() < 0.5:
        tree = json.dumps(replaced(pick(draw, [EVERY_SETTING, TINY]), draw)).encode()
    else:
        tree = damaged_text(yaml.safe_dump(TINY).encode(), draw)
    path.write_bytes(tree)
    goes_on = draw.random() < 0.1

    def understood():
        checked = request_from(settings_from_file(path), str(path))
        if goes_on and all(value <= LARGEST for value in numbers(checked.model.options)):
            prepare_training(folder / "data", checked)

    return [understood]


def models(folder, draw):
    """A model file, mostly with the check sum that belongs to what it holds."""
    source, path = folder / "run" / "model.safetensors", folder / "given.safetensors"
    content = source.read_bytes()
    (length,) = struct.unpack_from("<Q", content)
    header = json.loads(content[8 : 8 + length])
    match int(draw.integers(4)):
        case 0:
            path.write_bytes(damaged(content, draw))
        case 1:
            text = json.dumps(replaced(header, draw)).encode()
            path.write_bytes(struct.pack("<Q", len(text)) + text + content[8 + length :])
        case 2:
            stored = json.loads(header["__metadata__"][KEY])
            stored["card"] = replaced(stored["card"], draw)
            tensors = load_file(source)
            _save_model(path, stored, tensors)
        case _:
            stored = json.loads(header["__metadata__"][KEY])
            tensors = load_file(source)
            name = pick(draw, sorted(tensors))
            tensors[name] = _other(tensors[name], draw)
            _save_model(path, stored, tensors)
    return [lambda: _predicts(path)]


def _save_model(path, stored, tensors):
    try:
        stored["checksum"] = _checksum(stored["card"], tensors)
    except (TypeError, ValueError):
        stored["checksum"] = ""
    save_file(tensors, path, metadata={KEY: json.dumps(stored)})


def _other(tensor, draw):
    """Of another value, size or type."""
    filled = [float("nan"), float("inf"), 1e38, -1e38, 0.0]
    match int(draw.integers(3)):
        case 0:
            return torch.full_like(tensor, pick(draw, filled) if tensor.is_floating_point() else 2**40)
        case 1:
            return torch.zeros(pick(draw, [(), (0,), (1,), (3, 5), (*tensor.shape, 1)]))
        case _:
            return tensor.to(pick(draw, [torch.float64, torch.float16, torch.int32, torch.bool]))


def _predicts(path):
    load_predictor(path).predict(IMAGE)


def bundles(folder, draw):
    """A folder or .zip for ONNX Runtime with another card or graph, its check sum sometimes right again."""
    if draw.random() < 0.3:
        path = folder / "given.zip"
        path.write_bytes(damaged_zip((folder / "bundle.zip").read_bytes(), draw, lambda _, data, d: damaged(data, d)))
        return [lambda: _predicts(path)]
    path = folder / "given-bundle"
    path.mkdir(exist_ok=True)
    card = json.loads((folder / "bundle" / "card.json").read_bytes())
    graph = (folder / "bundle" / "model.onnx").read_bytes()
    if draw.random() < 0.4:
        graph = damaged(graph, draw)
        card["checksums"]["model.onnx"] = hashlib.blake2b(graph, digest_size=16).hexdigest()
        content = json.dumps(card).encode()
    elif draw.random() < 0.5:
        content = json.dumps(replaced(card, draw)).encode()
    else:
        content = damaged_json(json.dumps(card).encode(), draw)
    (path / "card.json").write_bytes(content)
    (path / "model.onnx").write_bytes(graph)
    return [lambda: Bundle.open(path), lambda: _predicts(path)]


def weights(folder, draw):
    """A state dict to start from, as PyTorch or safetensors writes it."""
    tensors = {f"layer{k}.weight": torch.full((2, 3, k + 1), 0.5) for k in range(4)}
    if draw.random() < 0.5:
        path = folder / "given.pth"
        stored = _replaced_tensor({"state_dict": tensors, "epoch": 3}, draw) if draw.random() < 0.5 else tensors
        buffer = io.BytesIO()
        torch.save(stored, buffer)
        path.write_bytes(damaged_zip(buffer.getvalue(), draw, lambda _, data, d: damaged(data, d)))
    else:
        path = folder / "given-weights.safetensors"
        save_file(tensors, path)
        path.write_bytes(damaged(path.read_bytes(), draw))
    return [lambda: read_state(path)]


@cache
def _session(folder):
    """What a checkpoint is loaded into; built once."""
    run = Run.open(folder / "stopped")
    return reopen_training(run).session, run


@cache
def _samples(folder):
    """What the split of the run is of."""
    return scan(folder / "data").samples


@cache
def _unpacked(content):
    return torch.load(io.BytesIO(content), weights_only=True)


def _damaged_checkpoint(content, draw):
    if draw.random() < 0.4:
        return damaged_zip(content, draw, lambda _, data, d: damaged(data, d))
    stored = _unpacked(content)
    buffer = io.BytesIO()
    torch.save(_replaced_tensor(stored, draw) if draw.random() < 0.4 else replaced(stored, draw), buffer)
    return buffer.getvalue()


def _replaced_tensor(tree, draw):
    """The tree with one of its tensors made another."""
    places = [key for key, value in tree.items() if isinstance(value, torch.Tensor | dict)]
    if not places:
        return tree
    chosen = pick(draw, places)
    value = tree[chosen]  # an empty mapping has no tensor and stays
    other = _other(value, draw) if isinstance(value, torch.Tensor) else _replaced_tensor(value, draw)
    return {**tree, chosen: other}


def checkpoints(folder, draw):
    """A state to resume from, with other values in it."""
    path = Run.open(folder / "stopped").checkpoints[0]
    kept = folder / "kept.ckpt"
    if not kept.exists():
        shutil.copy(path, kept)
    content = _damaged_checkpoint(kept.read_bytes(), draw)

    def restored():
        path.write_bytes(content)
        try:
            load_checkpoint(*_session(folder))
        finally:
            shutil.copy(kept, path)

    return [restored]


RUN_FILES = ("settings.yaml", "split.csv", "history.csv", "model.safetensors", "evaluation/metrics.json",
             "evaluation/images.csv")  # fmt: skip


def _damaged_file(name, content, draw):
    if name.endswith(".yaml") and draw.random() < 0.5:
        return json.dumps(replaced(yaml.safe_load(content), draw)).encode()
    damage = damaged_json if name.endswith("json") else damaged if name.endswith("tensors") else damaged_text
    return damage(content, draw)


def runs(folder, draw):
    """A finished run of which one file is damaged, and put back afterwards."""
    name = pick(draw, RUN_FILES)
    path = folder / "run" / name
    content = path.read_bytes()
    changed = _damaged_file(name, content, draw)
    whole = draw.random() < 0.02

    def opened():
        path.write_bytes(changed)
        try:
            run = Run.open(folder / "run")
            run.history()
            Split.load(run.split_path, _samples(folder))
            _predicts(run.folder)
            if whole:
                perpixel.compare([run.folder, folder / "run"], out=folder / "compared")
        finally:
            path.write_bytes(content)

    return [opened]


def resumed(folder, draw):
    """A run that was stopped, with a damaged file, goes on to its end or says what is wrong."""
    place = folder / "going-on"
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(folder / "stopped", place)
    paths = sorted(path for path in place.rglob("*") if path.suffix in (".yaml", ".csv", ".ckpt"))
    path = pick(draw, paths)
    content = path.read_bytes()
    if path.suffix == ".ckpt":
        path.write_bytes(_damaged_checkpoint(content, draw))
    else:
        path.write_bytes(_damaged_file(path.name, content, draw))

    def goes_on():
        if (Run.open(place).settings.train.steps or 99) > 99:
            raise RunError("a longer training is not damage.", fix="none")
        resume_run(place, {})

    return [goes_on]
