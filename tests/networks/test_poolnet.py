"""PoolNet: its two poolings by slow references, any size and backbone, and what it can learn."""

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from seedbed.networks.backbones import build_backbone
from seedbed.networks.poolnet import FeatureAggregation, GlobalGuidance, PoolNet


def random(*shape):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


def enlarged(maps, size):
    return interpolate(maps, size, mode="bilinear", align_corners=True)


def cell_means(maps, rows, columns):
    """Means over the windows between the given bounds."""
    found = [[maps[..., a:b, c:d].mean((-2, -1)) for c, d in columns] for a, b in rows]
    return torch.stack([torch.stack(row, -1) for row in found], -2)


def test_guidance_by_a_slow_reference():
    module, maps = GlobalGuidance(2).eval(), random(1, 2, 6, 10)
    parts = [maps]
    for cells, convolution in zip((1, 3, 5), module.pooled, strict=True):
        rows, columns = (
            [(k * side // cells, -(-(k + 1) * side // cells)) for k in range(cells)] for side in (6, 10)
        )
        pooled = torch.einsum(
            "oc,bchw->bohw", convolution.weight[:, :, 0, 0], cell_means(maps, rows, columns)
        )
        parts.append(enlarged(pooled.relu(), (6, 10)))
    torch.testing.assert_close(module(maps), module.mix(torch.cat(parts, 1)).relu())


@pytest.mark.parametrize("size", [(8, 16), (5, 11), (1, 3)])
def test_aggregation_by_a_slow_reference(size):
    """Windows at the edge average what there is."""
    module, maps = FeatureAggregation(2).eval(), random(1, 2, *size)
    total = maps.clone()
    for factor, convolution in zip((2, 4, 8), module.pooled, strict=True):
        rows, columns = ([(k, min(k + factor, side)) for k in range(0, side, factor)] for side in size)
        total = total + enlarged(convolution(cell_means(maps, rows, columns)), size)
    torch.testing.assert_close(module(maps), total.relu())


@pytest.mark.parametrize("name", ["test_resnet", "tf_efficientnet_lite0", "resnet18"])
@pytest.mark.parametrize("size", [(64, 48), (33, 17)])
def test_logits_of_each_pixel_on_any_backbone(name, size):
    network = PoolNet(build_backbone(name, 16), width=4).eval()
    with torch.no_grad():
        logits = network(random(2, 3, *size))
    assert logits.shape == (2, 1, *size)
    assert float(np.ptp(logits.numpy())) > 0


def test_it_is_keyed_and_starts_from_scratch_but_for_the_backbone():
    one, same, other = (PoolNet(build_backbone("test_resnet", 16), width=4, rng=rng) for rng in (0, 0, 1))
    assert torch.equal(one.score.weight, same.score.weight)
    assert not torch.equal(one.score.weight, other.score.weight)


def test_it_learns_a_square():
    """Twenty steps on two images of bright squares."""
    images, target = -torch.ones(2, 3, 32, 32), torch.zeros(2, 1, 32, 32)
    for k, place in enumerate((4, 14)):
        images[k, :, place : place + 12, place : place + 12] = 1
        target[k, :, place : place + 12, place : place + 12] = 1
    network = PoolNet(build_backbone("test_resnet", 16), width=8).train()
    optimiser = torch.optim.Adam(network.parameters(), lr=3e-3)
    losses = []
    for _ in range(20):
        loss = torch.nn.functional.binary_cross_entropy_with_logits(network(images), target)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.6 * losses[0]
