"""CamNetwork: scores, what is frozen, initialisation."""

import pytest
import torch

from seedbed.networks.backbones import build_backbone
from seedbed.networks.cam_network import CamNetwork


@pytest.fixture(scope="module")
def images():
    return torch.randn(2, 3, 48, 64, generator=torch.Generator().manual_seed(0))


def network(**options):
    return CamNetwork(build_backbone("resnet18", 16), 4, **options)


def test_class_logits_are_the_head_on_averaged_features(images):
    net = network().eval()
    output = net(images)
    features = net.backbone(images)[-1].mean((2, 3))
    torch.testing.assert_close(output.class_logits, features @ net.head.weight[:, :, 0, 0].T)
    assert output.cam_logits.shape == (2, 4, 3, 4)


def test_one_pixel_wide_image():
    assert network().eval()(torch.zeros(1, 3, 40, 1)).cam_logits.shape == (1, 4, 3, 1)


def test_frozen_stages_get_no_gradient_and_keep_their_statistics(images):
    net = network(frozen_stages=2)
    body = net.backbone.body
    before = {name: buffer.clone() for name, buffer in net.named_buffers() if "running_mean" in name}
    net(images).class_logits.sum().backward()
    without = {name.split(".")[2] for name, p in net.backbone.named_parameters(prefix="b") if p.grad is None}
    assert without == {"conv1", "bn1", "layer1"}
    moved = {
        name.split(".")[2]
        for name, b in net.named_buffers()
        if name in before and not torch.equal(b, before[name])
    }
    assert moved == {"layer2", "layer3", "layer4"}
    assert body.bn1.training is False


def test_frozen_batch_norm_survives_train(images):
    net = network(batch_norm="frozen")
    net.eval().train()
    before = {name: buffer.clone() for name, buffer in net.named_buffers()}
    net(images)
    assert all(torch.equal(buffer, before[name]) for name, buffer in net.named_buffers())
    assert net.backbone.body.conv1.weight.requires_grad
    assert not net.backbone.body.bn1.weight.requires_grad


def test_dropout_takes_whole_channels(images):
    net = network(dropout=0.5)
    dropped = net.dropout(torch.ones(1, 512, 3, 3)).flatten(2)
    assert set(dropped.unique().tolist()) == {0.0, 2.0}
    assert torch.equal(dropped[..., :1].expand_as(dropped), dropped)


@pytest.mark.parametrize(
    ("init", "spread"),
    [("kaiming", (2 / 512) ** 0.5), ("xavier", (2 / 516) ** 0.5), ("torch", (1 / 3 / 512) ** 0.5)],
)
def test_head_init_has_the_published_spread_and_is_keyed(init, spread):
    """Standard deviations: He 2015 √(2/n), Glorot 2010 √(2/(n+m)), torch's uniform ±√(1/n) has √(1/3n)."""
    first, again = (
        network(head_init=init, generator=torch.Generator().manual_seed(1)).head.weight for _ in "ab"
    )
    assert torch.equal(first, again)
    assert first.std().item() == pytest.approx(spread, rel=0.08)


def test_too_many_frozen_stages():
    with pytest.raises(ValueError, match="expected frozen_stages from 0 to 5 for this backbone, got 6"):
        network(frozen_stages=6)
