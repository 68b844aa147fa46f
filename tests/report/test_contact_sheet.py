import numpy as np
import pytest
import torch
from PIL import Image

from generated import binary_labels
from perpixel.errors import OutputError
from perpixel.labels.codec import Codec
from perpixel.report.contact_sheet import GAP_PX, TTA, VIEW_PX, contact_sheet
from perpixel.shapes import IGNORED
from perpixel.training.loading.batches import Batch

CODEC = Codec(binary_labels(), "uint8", (100.0, 120.0, 140.0), (50.0, 40.0, 30.0))


def batch_of(count):
    """Views whose left half is cell, but for a border without label."""
    target = torch.zeros(count, 32, 64, dtype=torch.int64)
    target[..., :32] = 1
    target[..., 0, :] = IGNORED
    return Batch(torch.zeros(count, 3, 32, 64), target, np.arange(count))


def test_the_sheet_shows_the_normalised_views_in_their_own_colours_above_their_labels(tmp_path):
    contact_sheet(batch_of(2), CODEC, tmp_path / "sheet.png")
    sheet = np.asarray(Image.open(tmp_path / "sheet.png"))
    view = VIEW_PX * 32 // 64
    assert sheet.shape == (2 * view, 2 * VIEW_PX + GAP_PX, 3)
    assert (sheet[:view, :VIEW_PX] == CODEC.mean).all()
    below = sheet[view:, :VIEW_PX]
    assert len(np.unique(below[5:, : VIEW_PX // 2 - 5].reshape(-1, 3), axis=0)) == 1
    assert not np.array_equal(below[20, 5], below[20, -5])
    assert (below[0] == 128).all()
    assert (sheet[:, VIEW_PX : VIEW_PX + GAP_PX] == 255).all()


def test_no_more_views_than_fit_are_shown(tmp_path):
    contact_sheet(batch_of(TTA + 3), CODEC, tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width == TTA * (VIEW_PX + GAP_PX) - GAP_PX


def test_a_sheet_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"file.*\nFix: "):
        contact_sheet(batch_of(1), CODEC, tmp_path / "file" / "sheet.png")
