import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from generated import COLOURS, binary_labels, codec_for, exclusive_labels, overlapping_labels
from perpixel.errors import DataError
from perpixel.labels.codec import Codec, encode, mask_of
from perpixel.labels.labels import Labels
from perpixel.shapes import IGNORED

ENCODINGS = {
    "0 and 255": (binary_labels(), np.uint8),
    "indices": (exclusive_labels(), np.uint8),
    "a palette": (exclusive_labels((3, 7, 200), encoding="palette"), np.uint8),
    "16 bits": (exclusive_labels((0, 300, 65535)), np.uint16),
    "a negative value": (exclusive_labels((-1, 0, 4)), np.int64),
    "an ignored value": (exclusive_labels(ignored=(255,)), np.uint8),
}


@pytest.mark.parametrize(("labels", "dtype"), ENCODINGS.values(), ids=ENCODINGS)
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_a_mask_of_values_is_written_as_it_was_read(labels, dtype, data):
    values = st.sampled_from([*labels.values, *labels.ignored])
    mask = data.draw(hnp.arrays(dtype, hnp.array_shapes(min_dims=2, max_dims=2, max_side=8), elements=values))
    target = encode(mask, labels, "mask.png")
    assert target.dtype == np.uint8
    assert target.shape == mask.shape
    written = mask_of(target, labels)
    assert written.dtype == dtype
    np.testing.assert_array_equal(written, mask)


@given(indices=hnp.arrays(np.uint8, (5, 7), elements=st.integers(0, 3)))
@settings(max_examples=25, deadline=None)
def test_a_mask_of_colours_is_written_as_it_was_read(indices):
    void = (255, 255, 254)
    labels = exclusive_labels(COLOURS, encoding="colour", ignored=(void,))
    mask = np.array([*COLOURS, void], np.uint8)[indices]  # (5, 7, 3)
    target = encode(mask, labels, "mask.png")
    np.testing.assert_array_equal(target, np.where(indices == 3, IGNORED, indices))
    np.testing.assert_array_equal(mask_of(target, labels), mask)


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.int64])
def test_a_signed_mask_holds_minus_one(dtype):
    labels = exclusive_labels((0, 1, 300), ignored=(-1,))
    mask = np.array([[-1, 0], [1, 300]], dtype)
    np.testing.assert_array_equal(encode(mask, labels, "mask.tif"), [[IGNORED, 0], [1, 2]])
    np.testing.assert_array_equal(mask_of(encode(mask, labels, "mask.tif"), labels), mask)


def test_a_bool_mask_is_read_as_0_and_1():
    labels = Labels("multiclass", ("no", "yes"), (0, 1), ((0, 0, 0), (255, 0, 0)))
    mask = np.array([[True, False]])
    np.testing.assert_array_equal(encode(mask, labels, "mask.npy"), [[1, 0]])


def test_the_order_of_the_values_is_the_order_of_the_classes():
    np.testing.assert_array_equal(
        encode(np.array([[9, 2, 5]], np.uint8), exclusive_labels((5, 9, 2)), "m"), [[1, 2, 0]]
    )
    big = np.array([[90000, 2, 50000]], np.int64)
    np.testing.assert_array_equal(encode(big, exclusive_labels((50000, 90000, 2)), "m"), [[1, 2, 0]])


def test_overlapping_targets_become_one_mask_a_class():
    target = np.array([[[0, 1]], [[1, 1]]], np.uint8)  # (2, 1, 2)
    mask = mask_of(target, overlapping_labels())
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(mask, target * 255)


def test_ignored_pixels_of_a_prediction_are_255_where_no_value_is_ignored():
    target = np.array([[0, 1, IGNORED]], np.uint8)
    np.testing.assert_array_equal(mask_of(target, exclusive_labels()), [[0, 1, 255]])
    coloured = mask_of(target, exclusive_labels(COLOURS, encoding="colour"))
    np.testing.assert_array_equal(coloured[0, 2], [255, 255, 255])


def test_unknown_values_are_counted_the_most_frequent_first():
    mask = np.array([[0, 1, 2, 9], [9, 9, 77, 0]], np.uint8)
    with pytest.raises(DataError, match=r"mask.png holds 2 value") as caught:
        encode(mask, exclusive_labels(), "mask.png")
    assert str(caught.value) == (
        "mask.png holds 2 values that belong to no class.\n"
        "  - 9: 3 pixels\n"
        "  - 77: 1 pixels\n"
        "Fix: relabel them, or name them in dataset.yaml; the classes are ground = 0, water = 1, forest = 2."
    )


def test_unknown_colours_are_spelled_as_in_a_picture_editor():
    mask = np.full((2, 2, 3), (255, 128, 0), np.uint8)
    with pytest.raises(DataError, match="#FF8000: 4 pixels"):
        encode(mask, exclusive_labels(COLOURS, encoding="colour"), "mask.png")


@pytest.mark.parametrize("mask", [np.full((2, 2), -7, np.int16), np.full((2, 2), 100_000, np.int64)])
def test_unknown_values_beyond_a_byte_are_told(mask):
    with pytest.raises(DataError, match=rf"{mask[0, 0]}: 4 pixels"):
        encode(mask, exclusive_labels(), "mask.tif")


@pytest.mark.parametrize("count", [0, 256])
def test_numbers_of_classes_out_of_range_are_refused(count):
    with pytest.raises(DataError, match=rf"{count} classes; perpixel handles 1 to 255.\nFix: merge"):
        Labels("multiclass", ("a",) * count, tuple(range(count)), ((0, 0, 0),) * count)


def test_background_is_the_class_of_0_or_black():
    assert binary_labels().background == 0
    assert exclusive_labels((7, 0, 1)).background == 1
    assert exclusive_labels((7, 8, 1)).background is None
    assert exclusive_labels(COLOURS, encoding="colour").background == 0
    assert overlapping_labels().background is None


def test_images_with_other_channels_are_refused():
    codec = codec_for(exclusive_labels(), channels=3)
    codec.as_trained(np.zeros((2, 2, 3), np.uint8), "a.png")
    with pytest.raises(
        DataError, match=r"a.png has 4 channels; the model was trained on 3.\nFix: give images with 3"
    ):
        codec.as_trained(np.zeros((2, 2, 4), np.uint8), "a.png")


def test_images_of_another_dtype_are_refused():
    codec = codec_for(exclusive_labels(), dtype="uint16")
    with pytest.raises(
        DataError, match=r"a.png is uint8; the model was trained on uint16.\nFix: convert it to uint16"
    ):
        codec.as_trained(np.zeros((2, 2, 3), np.uint8), "a.png")


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16, torch.float32])
def test_normalise_subtracts_the_mean_and_divides_by_the_spread_of_each_channel(dtype):
    codec = Codec(exclusive_labels(), "uint8", (10.0, 100.0), (2.0, 50.0))
    image = torch.tensor([[14, 0], [10, 12]], dtype=torch.float64)
    batch = torch.stack([image, image + 100])[None].to(dtype)  # (1, 2, 2, 2)
    given = batch.clone()
    normal = codec.normalise(batch)
    assert normal.dtype == torch.float32
    assert torch.equal(batch, given)
    torch.testing.assert_close(normal[0, 0], torch.tensor([[2.0, -5.0], [0.0, 1.0]]))
    torch.testing.assert_close(normal[0, 1], torch.tensor([[0.28, 0.0], [0.2, 0.24]]))


def test_exclusive_logits_become_shares_and_the_best_class():
    codec = codec_for(exclusive_labels())
    logits = torch.randn(2, 3, 5, 4, generator=torch.Generator().manual_seed(0)).half()
    probabilities = codec.probabilities(logits)
    assert probabilities.dtype == torch.float32
    torch.testing.assert_close(probabilities.sum(1), torch.ones(2, 5, 4))
    decoded = codec.decode(probabilities)
    assert decoded.dtype == torch.uint8
    torch.testing.assert_close(decoded, probabilities.argmax(1).to(torch.uint8))


@pytest.mark.parametrize("labels", [exclusive_labels(), overlapping_labels()], ids=["multiclass", "multilabel"])
def test_the_answer_to_logits_is_that_to_their_probabilities(labels):
    codec = codec_for(labels)
    logits = torch.randn(2, len(labels), 9, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert torch.equal(codec.answer(logits), codec.decode(codec.probabilities(logits)))


def test_overlapping_logits_are_judged_class_by_class():
    codec = codec_for(overlapping_labels())
    logits = torch.tensor([[[[0.0, -1e-3, 4.0]], [[-4.0, 1.0, 9.0]]]])  # (1, 2, 1, 3)
    torch.testing.assert_close(codec.probabilities(logits), 1 / (1 + torch.exp(-logits)))
    decoded = codec.decode(codec.probabilities(logits))
    assert decoded.dtype == torch.uint8
    assert decoded.tolist() == [[[[1, 0, 1]], [[0, 1, 1]]]]


def test_each_overlapping_class_has_its_own_threshold():
    codec = codec_for(overlapping_labels(), thresholds=(0.9, 0.2))
    probabilities = torch.full((1, 2, 1, 1), 0.5)
    assert codec.decode(probabilities).flatten().tolist() == [0, 1]


@pytest.mark.parametrize(
    "codec",
    [
        codec_for(exclusive_labels(COLOURS, encoding="colour", ignored=((255, 255, 255),))),
        codec_for(exclusive_labels((-1, 0, 4), ignored=(255,)), channels=1, dtype="uint16"),
        codec_for(overlapping_labels(), thresholds=(0.25, 0.75)),
    ],
)
def test_a_codec_passes_through_json(codec):
    assert Codec.from_dict(json.loads(json.dumps(codec.to_dict()))) == codec


def test_what_is_no_number_is_normalised_to_the_mean():
    codec = Codec(binary_labels(), "float32", (5.0,), (2.0,))
    image = torch.tensor([[[[float("nan"), 9.0]]]])
    assert codec.normalise(image).tolist() == [[[[0.0, 2.0]]]]


def test_ignored_pixels_of_overlapping_classes_are_written_as_absent():
    labels = Labels("multilabel", ("a",), (255,), ((9, 9, 9),), encoding="files")
    assert mask_of(np.array([[[0, 1, IGNORED]]], np.uint8), labels).tolist() == [[[0, 255, 0]]]


@pytest.mark.parametrize("kind", ["multiclass", "multilabel"])
def test_without_torch_the_same_is_decoded(kind):
    labels = exclusive_labels() if kind == "multiclass" else overlapping_labels()
    codec = codec_for(labels, **({} if kind == "multiclass" else {"thresholds": (0.25, 0.75)}))
    coarse = np.random.default_rng(0).integers(0, 5, (len(labels), 40, 30)).astype(np.float32) / 4  # with many ties
    expected = codec.decode(torch.from_numpy(coarse)[None])[0].numpy()
    assert codec.decode_array(coarse).dtype == np.uint8
    np.testing.assert_array_equal(codec.decode_array(coarse), expected)
