"""SC-CAM's step by hand, what its gradients reach, and what later stages see of it."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from seedbed.cam.inference import multi_scale_cams
from seedbed.errors import SeedbedError
from seedbed.input.batch import Batch
from seedbed.methods.base import Progress
from seedbed.methods.cam import CamMethod, CamParameters
from seedbed.methods.subcategory import ENTRY, SubcategoryMethod, SubcategoryParameters
from seedbed.networks.subcategory_network import SubcategoryOutput
from seedbed.training.optimisers import parameter_groups
from seedbed.training.parameters import TrainingParameters

START = Progress(0, 1, 0, 1)
TINY = {"backbone": "test_resnet", "weights": "none"}


def batch(labels, clusters=None, pixels=32):
    generator = torch.Generator().manual_seed(1)
    return Batch(
        image_ids=tuple(f"i{n}" for n in range(len(labels))),
        images=torch.randn(len(labels), 3, pixels, pixels, generator=generator),
        labels=torch.tensor(labels),
        valid=torch.ones(len(labels), pixels, pixels, dtype=torch.bool),
        fields={} if clusters is None else {"subcategories.cluster": torch.tensor(clusters)},
    )


def method(classes=2, **parameters):
    return SubcategoryMethod(SubcategoryParameters(**TINY | parameters), classes=classes, rng=0)


class Always(nn.Module):
    """The same logits for every image; maps that vary around them."""

    def __init__(self, class_logits, subcategory_logits):
        super().__init__()
        maps = class_logits[:, :, None, None] + torch.tensor([[1.0, -1.0]])
        self.answer = SubcategoryOutput(class_logits, maps, subcategory_logits)

    def forward(self, images):
        return self.answer


@pytest.mark.parametrize("weight", [5.0, 0.5])
def test_step_by_hand(weight):
    """σ(ln 3) = 3/4. Class 0 is present, with sub-category 1 of 2: the labels are 1 0 and 0 1 0 0."""
    built = method(subcategories=2, subcategory_weight=weight)
    three = math.log(3)
    built.classifier = Always(torch.tensor([[three, 0.0]]), torch.tensor([[three, three, 0.0, -three]]))
    (objective,) = built.objectives(batch([[1.0, 0.0]], [[1.0, -1.0]]), START)
    classes = (-math.log(3 / 4) + math.log(2)) / 2
    within = (-math.log(1 / 4) - math.log(3 / 4) + math.log(2) - math.log(3 / 4)) / 4
    assert objective.player == "classifier"
    assert {name: part.item() for name, part in objective.parts.items()} == pytest.approx(
        {"classification": classes, "subcategories": within}, rel=1e-6
    )
    assert objective.loss.item() == pytest.approx(classes + weight * within, rel=1e-6)


def test_lambda_is_five_and_smoothing_is_for_classes():
    assert SubcategoryParameters().subcategory_weight == 5
    plain, smooth = method(subcategories=2), method(subcategories=2, label_smoothing=0.2)
    parts = []
    for built in (plain, smooth):
        built.classifier = Always(torch.tensor([[math.log(3)]]), torch.tensor([[0.5, -0.5]]))
        (objective,) = built.objectives(batch([[1.0]], [[0.0]]), START)
        parts.append(objective.parts)
    assert parts[1]["classification"].item() == pytest.approx(-0.9 * math.log(3 / 4) - 0.1 * math.log(1 / 4))
    assert parts[1]["subcategories"] == parts[0]["subcategories"]


def gradients(loss, network):
    names, parameters = zip(*network.named_parameters(), strict=True)
    found = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
    return {name: g for name, g in zip(names, found, strict=True) if g is not None and bool(g.any())}


def test_each_loss_reaches_the_backbone_and_its_own_head_only():
    built = method(subcategories=3)
    (objective,) = built.objectives(batch([[1.0, 0.0], [1.0, 1.0]], [[2.0, -1.0], [0.0, 1.0]]), START)
    network = built.classifier
    within = gradients(objective.parts["subcategories"], network)
    classes = gradients(objective.parts["classification"], network)
    assert "subcategory_head.weight" in within
    assert "head.weight" not in within
    assert "head.weight" in classes
    assert "subcategory_head.weight" not in classes
    shared = {name for name in within if name.startswith("backbone.")}
    assert shared == {name for name in classes if name.startswith("backbone.")}
    assert len(shared) > 10
    both = gradients(objective.loss, network)
    for name in shared:
        torch.testing.assert_close(both[name], classes[name] + 5 * within[name])


def test_without_weight_it_is_the_ordinary_classifier():
    """λ = 0: same initial class head, same loss, same gradients."""
    ours, plain = method(subcategory_weight=0.0), CamMethod(CamParameters(**TINY), classes=2, rng=0)
    images = batch([[1.0, 0.0], [0.0, 1.0]], [[0.0, -1.0], [-1.0, 0.0]])
    (one,), (other,) = (tuple(m.objectives(images, START)) for m in (ours, plain))
    assert one.loss.item() == other.loss.item()
    found, expected = gradients(one.loss, ours.classifier), gradients(other.loss, plain.classifier)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in found)


def test_cams_ignore_the_head_of_subcategories():
    network = method(classes=3, subcategories=4).eval().classifier
    image = np.random.default_rng(0).integers(0, 255, (48, 40, 3), dtype=np.uint8)
    options = {"mean": (0.5,) * 3, "std": (0.25,) * 3, "scales": (0.5, 1.0), "keep_flips": True}
    before = multi_scale_cams(network, image, [0, 2], **options)
    pooled = network.features(torch.zeros(1, 3, 48, 40))
    with torch.no_grad():
        network.subcategory_head.weight.normal_(0, 100)
    after = multi_scale_cams(network, image, [0, 2], **options)
    assert all(
        np.array_equal(a, b)
        for a, b in zip((*before.maps, *before.flips), (*after.maps, *after.flips), strict=True)
    )
    assert [len(one) for one in before.maps] == [2, 2]
    assert max(float(np.ptp(one)) for one in before.maps) > 0
    assert torch.equal(pooled, network.features(torch.zeros(1, 3, 48, 40)))
    with pytest.raises(ValueError, match="expected classes from 0 to 2, got 3"):
        multi_scale_cams(network, image, [3], **options)


def test_both_heads_and_the_adaptation_learn_at_the_rate_of_what_starts_from_scratch():
    network = method(subcategories=2, adaptation_channels=16).classifier
    groups = parameter_groups(network, TrainingParameters())
    (scratch,) = (group for group in groups if group["name"] == "scratch weights")
    wanted = {id(network.head.weight), id(network.subcategory_head.weight), id(network.adaptation[0].weight)}
    assert {id(p) for p in scratch["params"]} == wanted
    assert scratch["lr"] == pytest.approx(0.1)


def test_the_papers_convolution_gives_the_features_that_both_heads_score():
    network = method(classes=2, subcategories=3, adaptation_channels=16).eval().classifier
    images = batch([[1.0, 0.0]]).images
    output, features = network(images), network.features(images)
    assert features.shape[1] == 16
    assert features.min() >= 0
    pooled = features.mean((2, 3))
    torch.testing.assert_close(output.class_logits, pooled @ network.head.weight[:, :, 0, 0].T)
    torch.testing.assert_close(
        output.subcategory_logits, pooled @ network.subcategory_head.weight[:, :, 0, 0].T
    )


def test_k_is_what_the_table_was_made_with():
    assert ENTRY.derived(SubcategoryParameters(), {"subcategories": {"clusters": 7}}).subcategories == 7
    assert (
        ENTRY.derived(
            SubcategoryParameters(subcategories=7), {"subcategories": {"clusters": 7}}
        ).subcategories
        == 7
    )
    assert method(classes=3, subcategories=7).classifier.subcategory_head.out_channels == 21


def test_another_k_than_the_tables_is_refused():
    parameters = SubcategoryParameters(subcategories=10)
    with pytest.raises(SeedbedError) as error:
        ENTRY.derived(parameters, {"subcategories": {"clusters": 5}})
    assert str(error.value) == (
        "expected an input with 10 subcategories per class, as the parameters say, but it was made with 5; leave the "
        "parameter `subcategories` out"
    )
    with pytest.raises(SeedbedError, match="to say how many `clusters` a class has"):
        ENTRY.derived(parameters, {"subcategories": {}})


@pytest.mark.parametrize(
    "clusters", [[[0.0, -1.0], [-1.0, -1.0]], [[0.0, -1.0], [1.0, 1.0]]], ids=["missing", "absent class"]
)
def test_a_table_of_other_images_is_refused(clusters):
    with pytest.raises(SeedbedError, match="expected a sub-category for exactly the classes of image 'i1'"):
        list(method(subcategories=2).objectives(batch([[1.0, 0.0], [0.0, 1.0]], clusters), START))


def test_a_batch_without_subcategories_is_refused():
    with pytest.raises(ValueError, match=r"the batch has no subcategories\.cluster"):
        list(method().objectives(batch([[1.0, 0.0]]), START))
