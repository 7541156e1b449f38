"""Wide-ResNet-38: released names and shapes, dilation at each output stride, blocks against plain functions."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from seedbed.networks.backbones import build_backbone
from seedbed.networks.wide_resnet38 import WideBlock, WideBottleneck, WideResNet38

RESIDUAL = [("b2", 64, 128, 128), ("b3", 128, 256, 256), ("b4", 256, 512, 512), ("b5", 512, 512, 1024)]
REPEATS = {"b2": 2, "b3": 2, "b4": 5, "b5": 2}


def released():
    """Names and shapes of the released torch state dict, spelt out from the paper's table 1 (A1) and its layout."""
    shapes = {"conv1a.weight": (64, 3, 3, 3)}

    def batch_norm(name, channels):
        for part in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{name}.{part}"] = (channels,)

    def block(name, inputs, middle, outputs, shortcut):
        batch_norm(f"{name}.bn_branch2a", inputs)
        shapes[f"{name}.conv_branch2a.weight"] = (middle, inputs, 3, 3)
        batch_norm(f"{name}.bn_branch2b1", middle)
        shapes[f"{name}.conv_branch2b1.weight"] = (outputs, middle, 3, 3)
        if shortcut:
            shapes[f"{name}.conv_branch1.weight"] = (outputs, inputs, 1, 1)

    for name, inputs, middle, outputs in RESIDUAL:
        block(name, inputs, middle, outputs, True)
        for k in range(REPEATS[name]):
            block(f"{name}_{k + 1}", outputs, middle, outputs, False)
    for name, inputs, outputs in (("b6", 1024, 2048), ("b7", 2048, 4096)):
        batch_norm(f"{name}.bn_branch2a", inputs)
        shapes[f"{name}.conv_branch2a.weight"] = (outputs // 4, inputs, 1, 1)
        batch_norm(f"{name}.bn_branch2b1", outputs // 4)
        shapes[f"{name}.conv_branch2b1.weight"] = (outputs // 2, outputs // 4, 3, 3)
        batch_norm(f"{name}.bn_branch2b2", outputs // 2)
        shapes[f"{name}.conv_branch2b2.weight"] = (outputs, outputs // 2, 1, 1)
        shapes[f"{name}.conv_branch1.weight"] = (outputs, inputs, 1, 1)
    batch_norm("bn7", 4096)
    return shapes


def test_names_and_shapes_are_those_released():
    with torch.device("meta"):
        state = WideResNet38(num_classes=20).state_dict()
    ours = {name: tuple(t.shape) for name, t in state.items() if not name.endswith("num_batches_tracked")}
    assert ours == released() | {"fc8.weight": (20, 4096, 1, 1)}


def test_has_38_layers():
    """Convolutions on the longest path: 1 + 2 · (3 + 3 + 6 + 3) + 3 · 2, and the classifier."""
    with torch.device("meta"):
        network = WideResNet38()
    longest = [n for n, m in network.named_modules() if isinstance(m, nn.Conv2d) and "branch1" not in n]
    assert len(longest) == 38


@pytest.mark.parametrize(
    ("output_stride", "dilation"),
    [
        (8, {"b5": [1, 2], "b5_1": [2, 2], "b5_2": [2, 2], "b6": [4], "b7": [4]}),
        (16, {"b6": [2], "b7": [2]}),
        (32, {}),
    ],
)
def test_dilation_and_sizes_at_each_output_stride(output_stride, dilation):
    """PSA: dilation 2 in b5, 4 in b6 and b7, at output stride 8."""
    with torch.device("meta"):
        backbone = build_backbone("wide_resnet38", output_stride)
        maps = backbone.eval()(torch.empty(1, 3, 64, 96))
    assert [m.shape[1] for m in maps] == [128, 256, 512, 1024, 4096]
    assert maps[-1].shape[2:] == (64 // output_stride, 96 // output_stride)
    assert backbone.reductions[-1] == output_stride
    found: dict[str, list[int]] = {}
    for name, module in backbone.body.named_modules():
        if isinstance(module, nn.Conv2d) and module.kernel_size == (3, 3):
            assert module.padding == module.dilation
            found.setdefault(name.partition(".")[0], []).append(module.dilation[0])
    assert {name: values for name, values in found.items() if max(values) > 1} == dilation


def test_frozen_stage_is_what_psa_freezes():
    """conv1a and b2*: the first stage."""
    with torch.device("meta"):
        backbone = build_backbone("wide_resnet38", 8)
    names = {id(m): n for n, m in backbone.body.named_children()}
    assert [names[id(m)] for m in backbone.stages[0] if id(m) in names] == ["conv1a", "b2", "b2_1", "b2_2"]


def test_maps_are_read_behind_the_next_blocks_batch_norm_and_relu():
    """PSA and SEAM: conv4 and conv5 are relu(b5.bn_branch2a(.)) and relu(b6.bn_branch2a(.)), conv6 relu(bn7(.))."""
    backbone = build_backbone("wide_resnet38", 8).eval()
    body, sums = shaken(backbone.body), {}
    x = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        maps = backbone(x)
        for name, part in body.named_children():
            sums[name] = x = part(x)
        expected = [
            normal(sums["b2_2"], body.b3.bn_branch2a),
            normal(sums["b3_2"], body.b4.bn_branch2a),
            normal(sums["b4_5"], body.b5.bn_branch2a),
            normal(sums["b5_2"], body.b6.bn_branch2a),
            normal(sums["b7"], body.bn7),
        ]
    for found, wanted in zip(maps, expected, strict=True):
        torch.testing.assert_close(found, wanted)


def normal(x, bn):
    mean, scale = bn.running_mean[:, None, None], bn.weight / (bn.running_var + bn.eps).sqrt()
    return ((x - mean) * scale[:, None, None] + bn.bias[:, None, None]).relu()


def shaken(module):
    """Batch norms with other statistics than 0 and 1."""
    generator = torch.Generator().manual_seed(0)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            for tensor in (part.weight.data, part.bias.data, part.running_mean, part.running_var):
                tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
    return module.eval()


def test_residual_block_is_its_formula():
    """x' = W1 a + V2 relu(bn(V1 a)) with a = relu(bn(x)); without a shortcut W1 a is x."""
    x = torch.randn(2, 4, 9, 9, generator=torch.Generator().manual_seed(1))
    block = shaken(WideBlock(4, 6, 8, stride=2, dilation=(1, 2)))
    a = normal(x, block.bn_branch2a)
    inner = normal(functional.conv2d(a, block.conv_branch2a.weight, stride=2, padding=1), block.bn_branch2b1)
    expected = functional.conv2d(inner, block.conv_branch2b1.weight, padding=2, dilation=2)
    expected = expected + functional.conv2d(a, block.conv_branch1.weight, stride=2)
    torch.testing.assert_close(block(x), expected)
    same = shaken(WideBlock(4, 6, 4))
    inner = normal(
        functional.conv2d(normal(x, same.bn_branch2a), same.conv_branch2a.weight, padding=1),
        same.bn_branch2b1,
    )
    torch.testing.assert_close(same(x), x + functional.conv2d(inner, same.conv_branch2b1.weight, padding=1))


def test_bottleneck_is_its_formula():
    x = torch.randn(2, 4, 9, 9, generator=torch.Generator().manual_seed(1))
    block = shaken(WideBottleneck(4, 16, 1, 4, 0.5))
    a = normal(x, block.bn_branch2a)
    inner = normal(functional.conv2d(a, block.conv_branch2a.weight), block.bn_branch2b1)
    inner = functional.conv2d(inner, block.conv_branch2b1.weight, padding=4, dilation=4)
    inner = functional.conv2d(normal(inner, block.bn_branch2b2), block.conv_branch2b2.weight)
    torch.testing.assert_close(block(x), inner + functional.conv2d(a, block.conv_branch1.weight))


def test_released_file_is_loaded(tmp_path):
    """Each tensor is one number that tells it from the others; views of one element keep the file small."""
    state = {
        name: torch.tensor(float(k % 97)).expand(shape) for k, (name, shape) in enumerate(released().items())
    }
    path = tmp_path / "ilsvrc-cls_rna-a1_cls1000.pth"
    torch.save(state | {"fc8.weight": torch.zeros(20, 4096, 1, 1)}, path)
    backbone = build_backbone("wide_resnet38", 8, f"file:{path}")
    loaded = backbone.body.state_dict()
    for name, tensor in state.items():
        assert bool((loaded[name] == tensor.flatten()[0]).all()), name
    assert backbone.provenance["source"] == "file:ilsvrc-cls_rna-a1_cls1000.pth"
    assert backbone.mean == (0.485, 0.456, 0.406)
