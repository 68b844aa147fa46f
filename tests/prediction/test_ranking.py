from typing import get_args

import numpy as np
import pytest
from PIL import Image

import generated
from perpixel import next_images
from perpixel.cli import main
from perpixel.errors import SettingsError
from perpixel.prediction.ranking import SCORES, foreground_share, image_score, pixel_entropy, rank_images
from perpixel.runtime.choices import RankingStrategy

LABELS = generated.binary_labels()


def map_of(foreground):
    foreground = np.asarray(foreground, np.float32)
    return np.stack([1 - foreground, foreground])


def test_entropy_is_that_of_the_textbook():
    probabilities = np.random.default_rng(0).dirichlet([1, 1, 1], (4, 5)).transpose(2, 0, 1).astype(np.float32)
    expected = -(probabilities * np.log(probabilities)).sum(0)
    np.testing.assert_allclose(pixel_entropy(probabilities, generated.exclusive_labels()), expected, rtol=1e-4)
    p = probabilities[:2]
    expected = -(p * np.log(p) + (1 - p) * np.log(1 - p)).mean(0)
    np.testing.assert_allclose(pixel_entropy(p, generated.overlapping_labels()), expected, rtol=1e-4)


def test_class_entropy_sees_a_rare_class():
    certain = np.full((10, 10), 0.01)
    rare = certain.copy()
    rare[0, 0] = 0.55
    middling = np.full((10, 10), 0.05)
    entropy = [image_score(map_of(each), LABELS, "entropy", 0.5) for each in (certain, rare, middling)]
    assert entropy[2] > entropy[1] > entropy[0]
    by_class = [image_score(map_of(each), LABELS, "class-entropy", 0.5) for each in (certain, rare, middling)]
    assert by_class[1] > by_class[2] > by_class[0]


def test_images_with_foreground_come_first():
    empty, full = map_of(np.zeros((10, 10))), map_of(np.ones((10, 10)))
    assert foreground_share(full, LABELS) == 1
    assert image_score(full, LABELS, "foreground-random", 0.1) > image_score(empty, LABELS, "foreground-random", 0.9)
    assert image_score(full, LABELS, "foreground-random", 0.1) < image_score(full, LABELS, "foreground-random", 0.2)


def test_ranks_follow_the_seed_and_the_strategy(cells, cells_run):
    folder = cells / "images"
    first = next_images(cells_run, folder, images=3, strategy="random", seed=1)
    assert first == next_images(cells_run, folder, images=8, strategy="random", seed=1)[:3]
    assert first != next_images(cells_run, folder, images=3, strategy="random", seed=2)
    ranked = next_images(cells_run, folder, images=99)
    assert ranked == next_images(cells_run, folder, images=99, strategy="entropy", seed=2)
    assert [each.score for each in ranked] == sorted((each.score for each in ranked), reverse=True)
    assert len(ranked) == 8


def test_what_a_score_is_is_said_for_every_strategy():
    assert SCORES.keys() == set(get_args(RankingStrategy))


def test_an_unknown_strategy_is_refused():
    with pytest.raises(SettingsError, match="there is no strategy 'entropie'"):
        rank_images(None, [], "entropie")


def test_the_command_names_images(cells, cells_run, tmp_path, capsys):
    for name in ("a.png", "b.png"):
        Image.open(cells / "images" / "cell_0.png").save(tmp_path / name)
    assert main(["next", str(cells_run.folder), str(tmp_path), "--images", "1", "--strategy", "class-entropy"]) == 0
    heading, image, following = capsys.readouterr().out.strip().splitlines()
    assert heading.startswith("class-entropy: ")
    assert image.endswith((str(tmp_path / "a.png"), str(tmp_path / "b.png")))
    assert following.startswith("Next: perpixel serve ")
