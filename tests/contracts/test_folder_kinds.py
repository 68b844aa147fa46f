"""Folders as people have them are understood, or asked about; never misunderstood."""

from collections import Counter, defaultdict

import numpy as np
import pytest

import annotation_kinds
import folder_kinds
import more_folder_kinds
import published_kinds
from perpixel.dataset import scan
from perpixel.errors import DataError
from perpixel.shapes import IGNORED

KINDS = folder_kinds.KINDS | annotation_kinds.KINDS | more_folder_kinds.KINDS | published_kinds.KINDS


def _understood(root):
    """The labels by image, as judged: class indices, IGNORED, or layers."""
    dataset = scan(root, whole=True)
    labels = {}
    pages = Counter(sample.image for sample in dataset.samples)
    for sample in dataset.samples:
        path = sample.image.relative_to(root).as_posix()
        labels[f"{path}\n{sample.page}" if pages[sample.image] > 1 else path] = dataset.target(sample)
    return dataset, labels


def _is_renaming(truth, found):
    """Whether one class stands for one class, over all images; their order is free."""
    forward, back = defaultdict(set), defaultdict(set)
    for image, target in truth.items():
        if target.ndim == 3 or found[image].ndim == 3:
            assert np.array_equal(target, found[image]), image
            continue
        assert target.shape == found[image].shape, image
        for both in np.unique(np.stack([target, found[image]]).reshape(2, -1), axis=1).T.tolist():
            forward[both[0]].add(both[1])
            back[both[1]].add(both[0])
    assert all(len(partners) == 1 for partners in (*forward.values(), *back.values())), (forward, back)
    assert back.get(IGNORED, {IGNORED}) == {IGNORED}


@pytest.mark.parametrize("name", KINDS)
def test_a_folder_is_understood_or_asked_about(tmp_path, name):
    root = tmp_path / "data"
    root.mkdir()
    truth = KINDS[name](root)
    try:
        dataset, found = _understood(root)
    except DataError:
        if truth.must_ask or truth.may_ask:
            return
        raise
    assert not truth.must_ask
    assert set(found) == set(truth.labels)
    _is_renaming(truth.labels, found)
    assert set(truth.names) <= set(dataset.labels.names)
    assert Counter(s.split for s in dataset.samples if s.split) >= Counter(truth.parts)
