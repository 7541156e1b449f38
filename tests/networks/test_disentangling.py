"""C²AM's network: what it divides, what padding counts for, and what starts from scratch."""

import pytest
import torch
from torch import nn

from seedbed.networks.backbones import Backbone, build_backbone
from seedbed.networks.disentangling import DisentanglingNetwork
from seedbed.training.optimisers import parameter_groups
from seedbed.training.parameters import TrainingParameters


class Maps(Backbone):
    """Three maps, the last one coarser."""

    def __init__(self, channels=(7, 2, 3)):
        nn.Module.__init__(self)
        self.channels = list(channels)

    def forward(self, images):
        generator = torch.Generator().manual_seed(3)
        size = len(images)
        low = torch.rand(size, 2, 4, 6, generator=generator)
        high = torch.rand(size, 3, 2, 3, generator=generator)
        return [torch.zeros(size, 7, 8, 12), low, high]


def network(**options):
    return DisentanglingNetwork(Maps(), generator=torch.Generator().manual_seed(0), **options).eval()


def test_foreground_and_background_are_the_features_shared_out():
    built, images = network(), torch.zeros(2, 3, 64, 96)
    output = built(images)
    low, high = Maps()(images)[1:]
    high = nn.functional.interpolate(high, (4, 6), mode="bilinear", align_corners=False)
    features = torch.cat([high, low], 1)
    assert output.saliency_logits.shape == (2, 1, 4, 6)
    for b in range(2):
        for c in range(5):
            front = back = 0.0
            for y in range(4):
                for x in range(6):
                    share = output.saliency_logits[b, 0, y, x].sigmoid().item()
                    front += share * features[b, c, y, x].item() / 24
                    back += (1 - share) * features[b, c, y, x].item() / 24
            assert output.foreground[b, c].item() == pytest.approx(front, rel=1e-5)
            assert output.background[b, c].item() == pytest.approx(back, rel=1e-5)


def test_padding_counts_for_neither():
    """The right half is padding: the means are those of the left half."""
    built, images = network(), torch.zeros(1, 3, 64, 96)
    valid = torch.ones(1, 64, 96, dtype=torch.bool)
    whole = built(images, valid)
    torch.testing.assert_close(whole, built(images))
    valid[:, :, 48:] = False
    half = built(images, valid)
    low, high = Maps()(images)[1:]
    high = nn.functional.interpolate(high, (4, 6), mode="bilinear", align_corners=False)
    left = torch.cat([high, low], 1)[..., :3]
    torch.testing.assert_close(half.foreground + half.background, left.mean((2, 3)))
    torch.testing.assert_close(half.saliency_logits, whole.saliency_logits)
    nothing = built(images, torch.zeros_like(valid))
    assert nothing.foreground.isfinite().all()


def test_the_branch_learns_at_the_rate_of_what_starts_from_scratch():
    """The published code leaves the branch's convolution at the backbone's rate, and its batch norm out."""
    built = DisentanglingNetwork(build_backbone("test_resnet", 16))
    groups = {g["name"]: g for g in parameter_groups(built, TrainingParameters())}
    assert {id(p) for p in groups["scratch weights"]["params"]} == {
        id(built.convolution.weight),
        id(built.norm.weight),
    }
    assert groups["scratch weights"]["lr"] == pytest.approx(10 * groups["backbone weights"]["lr"])
    assert [id(p) for p in groups["scratch biases"]["params"]] == [id(built.norm.bias)]


def test_one_map_is_too_few():
    with pytest.raises(ValueError, match="expected a backbone of at least two feature maps, got one"):
        DisentanglingNetwork(Maps((3,)))
