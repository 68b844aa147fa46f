"""Geometry and blending: every pixel once, weights of one, and no seam where the network fits the margin."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from perpixel.geometry.tiling import Axis, Blender, Tiling


def axes():
    def build(align, tiles, overlaps, length):
        return Axis(length, align * tiles, align * min(overlaps, tiles // 2), align)

    return st.builds(build, st.sampled_from([1, 2, 4]), st.integers(1, 24), st.integers(0, 12), st.integers(1, 160))


def blended(tiling, values_of):
    """Run `values_of(tile)` -> (K, h, w) through the blender and put the blocks together."""
    blender, result = Blender(tiling), None
    for tile in tiling:
        block = blender.add(tile, values_of(tile))
        if result is None:
            result = np.full((len(block.values), tiling.height, tiling.width), np.nan, np.float32)
        assert np.isnan(result[:, *block.place]).all(), "a pixel was finished twice"
        result[:, *block.place] = block.values
    return result


def window(image, tiling, tile):
    """(C, h, w) of the tile's window; what lies beyond the image is reflected."""
    height, width = tiling.window_hw
    part = image[:, tile.rows.see : tile.rows.see + height, tile.columns.see : tile.columns.see + width]
    missing = [(0, 0), (0, height - part.shape[1]), (0, width - part.shape[2])]
    return np.pad(part, missing, mode="reflect") if np.any(missing) else part.copy()


def sizes_around(tile_px):
    """One to three tiles, and every size within one pixel of an edge."""
    return sorted({max(1, n * tile_px // 2 + d) for n in range(1, 7) for d in (-1, 0, 1)})


@given(axes())
def test_cores_cover_the_axis_once_and_lie_in_their_windows(axis):
    edge = 0
    for span in axis.spans:
        assert span.begin == edge < span.end <= span.stop <= axis.length_px
        assert span.see % axis.align_px == 0 <= span.see <= span.begin
        assert span.stop <= span.see + axis.window_px
        edge = span.end
    assert edge == axis.length_px
    assert axis.window_px % axis.align_px == 0
    assert axis.spans[-1].see + axis.window_px - axis.length_px < axis.align_px


@given(axes())
def test_margins_are_kept_at_every_inner_end(axis):
    for before, after in zip(axis.spans, axis.spans[1:], strict=False):
        assert before.see + axis.window_px - before.stop >= axis.margin_px
        assert after.begin - after.see >= axis.margin_px


@settings(max_examples=30)
@given(axes(), axes())
def test_weights_add_up_to_one(rows, columns):
    tiling = Tiling(rows.length_px, columns.length_px, (rows.tile_px, rows.tile_px), rows.overlap_px, rows.align_px)
    ones = blended(tiling, lambda tile: np.ones((2, *tiling.window_hw), np.float32))
    np.testing.assert_allclose(ones, 1, rtol=0, atol=1e-6)


def test_the_hand_over_is_linear():
    tiling = Tiling(1, 20, (16, 12), 4)
    assert tiling.columns.ramp_px == 2
    steps = blended(tiling, lambda tile: np.full((1, *tiling.window_hw), tile.columns.begin > 0, np.float32))
    np.testing.assert_allclose(steps[0, 0, 7:11], [0, 1 / 3, 2 / 3, 1], atol=1e-6)


@pytest.mark.parametrize("height", sizes_around(32))
def test_identity_network_gives_the_image_back_at_every_size(height):
    for width in sizes_around(32):
        tiling = Tiling(height, width, (32, 32), 16, align_px=4)
        image = np.random.default_rng(height).random((2, height, width), np.float32)
        result = blended(tiling, lambda tile, image=image, tiling=tiling: window(image, tiling, tile))
        np.testing.assert_allclose(result, image, rtol=0, atol=1e-6)


def strided_network():
    """Looks 12 pixels far: two 3×3 convolutions, one at stride 4 and one above it."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1),
        nn.MaxPool2d(4),
        nn.Conv2d(4, 4, 3, padding=1),
        nn.Upsample(scale_factor=4),
        nn.Conv2d(4, 3, 3, padding=1),
    ).eval()


@pytest.mark.parametrize("height", sizes_around(96)[::2])
def test_random_network_whose_reach_fits_the_margin_gives_no_seam(height):
    network = strided_network()
    for width in sizes_around(96)[1::2]:
        tiling = Tiling(height, width, (96, 96), 32, align_px=4)
        assert tiling.rows.margin_px == 12
        whole = Tiling(height, width, (400, 400), 0, align_px=4)
        image = np.random.default_rng(width).random((2, height, width), np.float32)

        def answer(tile, of, image=image):
            with torch.inference_mode():
                return network(torch.from_numpy(window(image, of, tile))[None])[0].numpy()

        tiled = blended(tiling, lambda tile, tiling=tiling, answer=answer: answer(tile, tiling))
        np.testing.assert_allclose(
            tiled, blended(whole, lambda tile, whole=whole, answer=answer: answer(tile, whole)), rtol=0, atol=1e-5
        )


def test_a_network_that_looks_further_is_told_apart():
    """The test above can fail: with a margin of 8 pixels the same network leaves a seam."""
    network, image = strided_network(), np.random.default_rng(0).random((2, 90, 90), np.float32)

    def answer(of):
        def values(tile):
            with torch.inference_mode():
                return network(torch.from_numpy(window(image, of, tile))[None])[0].numpy()

        return blended(of, values)

    seam = np.abs(answer(Tiling(90, 90, (48, 48), 0, align_px=4)) - answer(Tiling(90, 90, (96, 96), 0, align_px=4)))
    assert seam.max() > 1e-2
