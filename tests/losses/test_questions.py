"""Multiclass logits as one-against-the-rest logits: the sigmoid is the softmax, without cancellation."""

import torch

from perpixel.losses.questions import channel_logits, channel_probs, truth_and_valid
from perpixel.shapes import IGNORED


def test_the_sigmoid_of_a_channel_is_its_softmax():
    logits = 5 * torch.randn(2, 6, 4, 3, dtype=torch.float64)
    target = torch.zeros(2, 4, 3, dtype=torch.int64)
    torch.testing.assert_close(channel_logits(logits, target).sigmoid(), logits.softmax(1))
    torch.testing.assert_close(channel_probs(logits, target), logits.softmax(1))
    two = channel_probs(logits[:, :2], target)
    torch.testing.assert_close(two, logits[:, :2].softmax(1)[:, 1:])


def test_a_sure_class_keeps_its_digits_in_float32():
    logits = torch.tensor([40.0, 0.0, -1.0]).view(1, 3, 1, 1)
    margin = channel_logits(logits, torch.zeros(1, 1, 1, dtype=torch.int64)).flatten()
    rest = torch.logsumexp(torch.tensor([0.0, -1.0]), 0)
    torch.testing.assert_close(margin, torch.stack([40 - rest, torch.tensor(-40.0), torch.tensor(-41.0)]))


def test_truth_is_never_true_where_it_is_unknown():
    multiclass = torch.tensor([[[0, 1, IGNORED]]])
    truth, valid = truth_and_valid(multiclass, 2)
    assert truth.flatten().tolist() == [False, True, False]
    assert valid.flatten().tolist() == [True, True, False]
    truth, valid = truth_and_valid(multiclass, 3)
    assert truth.shape == (1, 3, 1, 3)
    assert truth[..., 2].sum() == 0
    truth, valid = truth_and_valid(multiclass[:, None].to(torch.uint8), 1)
    assert truth.flatten().tolist() == [False, True, False]
    assert valid.flatten().tolist() == [True, True, False]
