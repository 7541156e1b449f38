"""Wide-ResNet-38, model A1 of "Wider or Deeper" (Wu et al. 2016, arXiv:1611.10080, Table 1), registered with timm.

The backbone of PSA, SEAM, OC-CSE and SC-CAM, at output stride 8 with dilation 2 in b5 and 4 in b6 and b7. Blocks
and layers have the names of the released torch state dicts, so that these load as `file:<path>`.
"""

from __future__ import annotations

from typing import Any

from jaxtyping import Float
from timm.layers.norm_act import BatchNormAct2d
from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from torch import Tensor, nn
from torch.nn import functional


class WideBlock(nn.Module):
    """Two 3x3 convolutions, each after batch norm and ReLU; a 1x1 shortcut where size or channels change.

    Args:
        inputs, middle, outputs: channels.
        stride: of the first convolution and the shortcut.
        dilation: of the first and of the second convolution.
    """

    def __init__(
        self, inputs: int, middle: int, outputs: int, stride: int = 1, dilation: tuple[int, int] = (1, 1)
    ):
        super().__init__()
        first, second = dilation
        self.bn_branch2a = BatchNormAct2d(inputs)
        self.conv_branch2a = nn.Conv2d(inputs, middle, 3, stride, first, first, bias=False)
        self.bn_branch2b1 = nn.BatchNorm2d(middle)
        self.conv_branch2b1 = nn.Conv2d(middle, outputs, 3, 1, second, second, bias=False)
        self.conv_branch1: nn.Module | None = None
        if inputs != outputs or stride != 1:
            self.conv_branch1 = nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, x: Float[Tensor, "batch _ _ _"]) -> Float[Tensor, "batch _ _ _"]:
        """The block's sum; the next block normalises it."""
        active = self.bn_branch2a(x)
        shortcut = x if self.conv_branch1 is None else self.conv_branch1(active)
        inner = functional.relu(self.bn_branch2b1(self.conv_branch2a(active)))
        result: Tensor = shortcut + self.conv_branch2b1(inner)
        return result


class WideBottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions to a quarter, half and all of the outputs, with dropout of channels.

    Args:
        inputs, outputs: channels.
        stride: of the first convolution and the shortcut.
        dilation: of the 3x3 convolution.
        dropout: probability of dropping a channel before the second and the third convolution.
    """

    def __init__(self, inputs: int, outputs: int, stride: int, dilation: int, dropout: float):
        super().__init__()
        quarter, half = outputs // 4, outputs // 2
        self.bn_branch2a = BatchNormAct2d(inputs)
        self.conv_branch2a = nn.Conv2d(inputs, quarter, 1, stride, bias=False)
        self.bn_branch2b1 = nn.BatchNorm2d(quarter)
        self.conv_branch2b1 = nn.Conv2d(quarter, half, 3, 1, dilation, dilation, bias=False)
        self.bn_branch2b2 = nn.BatchNorm2d(half)
        self.conv_branch2b2 = nn.Conv2d(half, outputs, 1, bias=False)
        self.conv_branch1 = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
        self.dropout = nn.Dropout2d(dropout)

    def forward(self, x: Float[Tensor, "batch _ _ _"]) -> Float[Tensor, "batch _ _ _"]:
        """The block's sum; the next block normalises it."""
        active = self.bn_branch2a(x)
        inner = self.dropout(functional.relu(self.bn_branch2b1(self.conv_branch2a(active))))
        inner = self.dropout(functional.relu(self.bn_branch2b2(self.conv_branch2b1(inner))))
        result: Tensor = self.conv_branch1(active) + self.conv_branch2b2(inner)
        return result


class WideResNet38(nn.Module):
    """The whole network; its last map has 4096 channels and is scored by the 1x1 convolution `fc8`.

    Args:
        num_classes: outputs.
        in_chans: channels of the image.
        output_stride: 32 as trained on ImageNet, 16, or 8; strides beyond it become dilation from the block's
            second 3x3 convolution on.
        dropout: of b6 and b7 (PSA 0.3 and 0.5, OC-CSE 0.2 and 0.2).

    Raises:
        NotImplementedError: another output stride; this is the error that timm's builder expects.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        in_chans: int = 3,
        output_stride: int = 32,
        dropout: tuple[float, float] = (0.3, 0.5),
    ):
        super().__init__()
        if output_stride not in (8, 16, 32):
            raise NotImplementedError(f"expected output_stride 8, 16 or 32, got {output_stride}")
        self.num_classes, self.num_features = num_classes, 4096
        s5, s6 = (2 if output_stride >= 16 else 1), (2 if output_stride == 32 else 1)
        d5, d6 = 2 // s5, 4 // (s5 * s6)
        self.conv1a = nn.Conv2d(in_chans, 64, 3, padding=1, bias=False)
        self.b2 = WideBlock(64, 128, 128, 2)
        self.b2_1 = WideBlock(128, 128, 128)
        self.b2_2 = WideBlock(128, 128, 128)
        self.b3 = WideBlock(128, 256, 256, 2)
        self.b3_1 = WideBlock(256, 256, 256)
        self.b3_2 = WideBlock(256, 256, 256)
        self.b4 = WideBlock(256, 512, 512, 2)
        self.b4_1 = WideBlock(512, 512, 512)
        self.b4_2 = WideBlock(512, 512, 512)
        self.b4_3 = WideBlock(512, 512, 512)
        self.b4_4 = WideBlock(512, 512, 512)
        self.b4_5 = WideBlock(512, 512, 512)
        self.b5 = WideBlock(512, 512, 1024, s5, (1, d5))
        self.b5_1 = WideBlock(1024, 512, 1024, dilation=(d5, d5))
        self.b5_2 = WideBlock(1024, 512, 1024, dilation=(d5, d5))
        self.b6 = WideBottleneck(1024, 2048, s6, d6, dropout[0])
        self.b7 = WideBottleneck(2048, 4096, 1, d6, dropout[1])
        self.bn7 = BatchNormAct2d(4096)
        self.fc8 = nn.Conv2d(4096, num_classes, 1, bias=False)
        # As PSA and SEAM read them: a block's sum after the next block's batch norm and ReLU.
        self.feature_info = [
            {"num_chs": 128, "reduction": 2, "module": "b3.bn_branch2a", "stage_end": "b2_2"},
            {"num_chs": 256, "reduction": 4, "module": "b4.bn_branch2a", "stage_end": "b3_2"},
            {"num_chs": 512, "reduction": 8, "module": "b5.bn_branch2a", "stage_end": "b4_5"},
            {"num_chs": 1024, "reduction": 8 * s5, "module": "b6.bn_branch2a", "stage_end": "b5_2"},
            {"num_chs": 4096, "reduction": 8 * s5 * s6, "module": "bn7", "stage_end": "bn7"},
        ]
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)

    def forward(self, images: Float[Tensor, "batch 3 H W"]) -> Float[Tensor, "batch classes"]:
        """Class logits."""
        x: Tensor = images
        for part in list(self.children()):
            x = part(x)
        return x.mean((2, 3))


default_cfgs = generate_default_cfgs(
    {
        "wide_resnet38": {
            "url": "",
            "num_classes": 1000,
            "input_size": (3, 224, 224),
            "pool_size": (7, 7),
            "mean": (0.485, 0.456, 0.406),
            "std": (0.229, 0.224, 0.225),
            "first_conv": "conv1a",
            "classifier": "fc8",
        }
    }
)


@register_model
def wide_resnet38(pretrained: bool = False, **kwargs: Any) -> nn.Module:
    """timm's entry point; `features_only=True` returns the maps of b2_2, b3_2, b4_5, b5_2 and b7, each after the batch
    norm and ReLU that follow it."""
    model: nn.Module = build_model_with_cfg(
        WideResNet38,
        "wide_resnet38",
        pretrained,
        feature_cfg={"feature_cls": "hook", "no_rewrite": False},
        **kwargs,
    )
    return model
