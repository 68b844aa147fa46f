"""Copy an independent implementation's weights into ours, and compare what both give."""

import torch
from torch import nn


def check_equal(ours: nn.Module, theirs: nn.Module) -> None:
    """The encoder's weights go by name, the decoder's in their order; logits agree to 1e-5."""
    own, other = ours.state_dict(), theirs.state_dict()
    mine, their = ([key for key in state if not key.startswith("encoder.")] for state in (own, other))
    copied = {key: other[key] for key in own if key.startswith("encoder.")}
    copied |= {key: other[name] for key, name in zip(mine, their, strict=True)}
    ours.load_state_dict(copied)
    image = torch.rand(2, 3, 64, 96)
    with torch.no_grad():
        torch.testing.assert_close(ours(image), theirs(image), rtol=1e-5, atol=1e-5)
