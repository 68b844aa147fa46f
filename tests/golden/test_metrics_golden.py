"""Every metric against an independent one: scikit-learn, MONAI, scikit-image, or a definition written out slowly."""

import numpy as np
import pytest
import torch
from scipy import ndimage
from skimage.measure import label
from skimage.metrics import adapted_rand_error, variation_of_information
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    normalized_mutual_info_score,
    precision_recall_curve,
    roc_auc_score,
    roc_curve,
)

from late import Late
from perpixel.instances import label as label_instances
from perpixel.metrics import (
    contour_distances,
    count_boundary,
    count_instances,
    threshold_curves,
)
from perpixel.metrics.membranes import rand_and_information, thin_borders
from perpixel.shapes import IGNORED

monai_metrics = Late("monai.metrics")


def smooth_masks(seed, shape=(60, 70), sigma=4.0):
    """A mask of blobs and another one somewhat like it."""
    rng = np.random.default_rng(seed)
    field, noise = (ndimage.gaussian_filter(rng.normal(size=shape), sigma) for _ in range(2))
    return field > 0, field + 0.5 * noise > 0


def probabilities(seed, pixels=20_000):
    rng = np.random.default_rng(seed)
    p = rng.beta(0.6, 0.6, pixels)
    return p, (rng.random(pixels) < p**1.5).astype(np.uint8)


# Threshold curves


@pytest.mark.parametrize("bins", [64, 4096])
def test_curves_equal_scikit_learn_on_binned_probabilities(bins):
    p, truth = probabilities(0)
    binned = np.floor(p * bins) / bins
    curves = threshold_curves(p[None, None], truth[None, None], bins=bins)
    np.testing.assert_allclose(curves.auc, roc_auc_score(truth, binned), rtol=1e-12)
    np.testing.assert_allclose(curves.average_precision, average_precision_score(truth, binned), rtol=1e-12)
    fpr, tpr, thresholds = roc_curve(truth, binned, drop_intermediate=False)
    at = (thresholds[1:] * bins).astype(int)  # its first threshold is infinite
    np.testing.assert_allclose(1 - curves.counts.specificity[at, 0], fpr[1:], atol=1e-12)
    np.testing.assert_allclose(curves.soft_dice, 2 * (p * truth).sum() / (p.sum() + truth.sum()), rtol=1e-6)
    rates = np.linspace(0, 1, 23)
    np.testing.assert_allclose(curves.true_positive_rates(rates)[0], np.interp(rates, fpr, tpr), atol=1e-12)
    np.testing.assert_allclose(curves.counts.recall[at, 0], tpr[1:], rtol=1e-12)
    precision, recall, thresholds = precision_recall_curve(truth, binned)
    at = (thresholds * bins).astype(int)
    np.testing.assert_allclose(curves.counts.precision[at, 0], precision[:-1], rtol=1e-12)
    np.testing.assert_allclose(curves.counts.recall[at, 0], recall[:-1], rtol=1e-12)


@pytest.mark.parametrize("bins", [16, 256, 4096])
@pytest.mark.parametrize("seed", range(3))
def test_what_binning_moves_lies_within_its_stated_bounds(bins, seed):
    p, truth = probabilities(seed)
    curves = threshold_curves(p[None, None], truth[None, None], bins=bins)
    assert abs(curves.auc[0] - roc_auc_score(truth, p)) <= curves.auc_error[0] < 10 / bins
    low, high = curves.average_precision_bounds
    assert low[0] <= average_precision_score(truth, p) <= high[0] < low[0] + 10 / bins
    assert abs(curves.brier[0] - brier_score_loss(truth, p)) <= 1 / bins
    group = np.minimum((p * 16).astype(int), 15)
    gaps = [abs(p[group == g].sum() - truth[group == g].sum()) for g in range(16)]
    assert abs(curves.reliability(16).expected_calibration_error[0] - sum(gaps) / len(p)) <= 1 / (2 * bins)


# Boundaries


@pytest.mark.filterwarnings("ignore:monai.metrics.utils get_mask_edges:FutureWarning")  # its own call, not ours
@pytest.mark.parametrize("seed", range(4))
def test_surface_distances_equal_monai(seed):
    one, other = smooth_masks(seed)
    ours = contour_distances(one, other)
    batch = [torch.from_numpy(mask)[None, None].float() for mask in (one, other)]
    hausdorff = monai_metrics.compute_hausdorff_distance(*batch, include_background=True, percentile=95)
    mean = monai_metrics.compute_average_surface_distance(*batch, include_background=True, symmetric=True)
    assert ours.hausdorff95 == pytest.approx(hausdorff.item(), rel=1e-6)
    assert ours.mean == pytest.approx(mean.item(), rel=1e-6)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("width", [0.02, 0.06])
def test_boundary_iou_is_the_authors_erosion(seed, width):
    """bowenc0221/boundary-iou-api, mask_to_boundary: the mask less its erosion by 3×3, the image's edge outside."""
    one, other = smooth_masks(seed)
    steps = max(1, round(width * np.sqrt(60**2 + 70**2)))

    def boundary(mask):
        return mask & ~ndimage.binary_erosion(mask, np.ones((3, 3)), iterations=steps, border_value=0)

    for value in (0, 1):
        a, b = boundary(one == value), boundary(other == value)
        counts = count_boundary(one.astype(np.uint8), other.astype(np.uint8), classes=2, width=width)
        assert counts.iou[value] == (a & b).sum() / (a | b).sum()


def test_boundary_f1_by_its_definition():
    one, other = smooth_masks(9)
    edges = [mask & ~ndimage.binary_erosion(mask) for mask in (one, other)]
    points = [np.argwhere(edge) for edge in edges]
    apart = np.linalg.norm(points[0][:, None] - points[1][None], axis=2)
    precision, recall = (apart.min(1) <= 2).mean(), (apart.min(0) <= 2).mean()
    assert contour_distances(one, other).f1(2.0) == pytest.approx(2 * precision * recall / (precision + recall))


# Objects


def slow_objects(prediction, truth):
    """The definitions, object by object."""
    said = [prediction == value for value in np.unique(prediction) if value]
    true = [truth == value for value in np.unique(truth) if value]
    iou = np.array([[(s & t).sum() / (s | t).sum() for t in true] for s in said]).reshape(len(said), len(true))
    precision = []
    for cut in np.arange(10, 20) / 20:
        hits = (iou > cut).any(1).sum()
        precision.append(hits / (len(said) + len(true) - hits))
    quality = 2 * iou[iou > 0.5].sum() / (len(said) + len(true))
    shared = joint = 0
    used = set()
    for t, mask in enumerate(true):  # Kumar et al. (2017), algorithm 1
        best = int(iou[:, t].argmax()) if said else 0
        if not said or iou[best, t] == 0:
            joint += mask.sum()
            continue
        shared += (said[best] & mask).sum()
        joint += (said[best] | mask).sum()
        used.add(best)
    joint += sum(mask.sum() for s, mask in enumerate(said) if s not in used)
    return precision, quality, shared / joint


@pytest.mark.parametrize("seed", range(6))
def test_instance_scores_by_their_definitions(seed):
    one, other = smooth_masks(seed, sigma=2.0)
    prediction, truth = label_instances(one), label_instances(other)
    counts = count_instances(prediction, truth)
    precision, quality, jaccard = slow_objects(prediction, truth)
    np.testing.assert_allclose(counts.average_precision, precision, rtol=1e-14)
    assert counts.mean_average_precision == pytest.approx(np.mean(precision))
    assert counts.panoptic_quality == pytest.approx(quality)
    assert counts.aggregated_jaccard == pytest.approx(jaccard)
    assert counts.count_error == abs(int(prediction.max()) - int(truth.max()))


def test_connected_components_are_scikit_images():
    mask, _ = smooth_masks(5, sigma=1.5)
    np.testing.assert_array_equal(label_instances(mask), label(mask, connectivity=1))


# Membranes


@pytest.mark.parametrize("seed", range(4))
def test_information_score_equals_scikit_learn_and_scikit_image(seed):
    one, other = smooth_masks(seed, sigma=3.0)
    regions, truth = thin_borders(label(one, connectivity=1)), label(other, connectivity=1)
    _, v_info = rand_and_information(regions, truth)
    inside = truth != 0
    assert v_info == pytest.approx(normalized_mutual_info_score(truth[inside], regions[inside]), rel=1e-12)
    split, merged = variation_of_information(truth, regions, ignore_labels=(0,))
    shares = [np.bincount(part[inside]) / inside.sum() for part in (truth, regions)]
    entropies = sum(-(share[share > 0] * np.log2(share[share > 0])).sum() for share in shares)
    assert v_info == pytest.approx((entropies - split - merged) / entropies, rel=1e-9)


def test_rand_score_by_pairs_of_pixels():
    one, other = smooth_masks(7, shape=(16, 18), sigma=1.5)
    regions, truth = thin_borders(label(one, connectivity=1)), label(other, connectivity=1)
    inside = truth != 0
    said, true = (part[inside][:, None] == part[inside] for part in (regions, truth))
    v_rand, _ = rand_and_information(regions, truth)
    assert v_rand == pytest.approx((said & true).sum() / (said.sum() / 2 + true.sum() / 2), rel=1e-12)


def test_rand_score_nears_scikit_images_as_pixels_multiply():
    """It leaves out the pairs of a pixel with itself, which the paper's squares hold: 1 / n of an area's pairs."""
    one, other = smooth_masks(8, shape=(24, 24), sigma=1.5)
    one, other = (np.kron(part, np.ones((32, 32), bool)) for part in (one, other))
    regions, truth = thin_borders(label(one, connectivity=1)), label(other, connectivity=1)
    error, _, _ = adapted_rand_error(truth, regions, ignore_labels=(0,))
    assert rand_and_information(regions, truth)[0] == pytest.approx(1 - error, abs=1e-4)


def test_ignored_pixels_take_no_part_in_boundaries():
    one, other = smooth_masks(3)
    target = other.astype(np.uint8)
    target[:, 30:] = IGNORED
    counts = count_boundary(one.astype(np.uint8), target, classes=2)
    assert int(counts.true_positive[0] + counts.false_negative[0] + counts.false_positive[0]) <= 60 * 30
    changed = one.astype(np.uint8)
    changed[:, 30:] = 1 - changed[:, 30:]
    assert count_boundary(changed, target, classes=2) == counts
