"""Losses as for another number of classes, in the methods beside the Puzzle family; stages that AffinityNet freezes."""

from dataclasses import replace

import pytest
import torch

from methods.puzzle_erasing_toys import CLASSES, QUARTER, TINY, batch
from seedbed.methods.affinity import AffinityMethod, AffinityParameters
from seedbed.methods.cam import CamParameters, ClassMeanParameters
from seedbed.methods.isim import LABELS, IsimParameters
from seedbed.methods.ppc import PpcParameters
from seedbed.methods.prototype_contrast import PrototypeContrastParameters
from seedbed.methods.seam import SeamParameters
from seedbed.methods.subcategory import FIELD, SubcategoryParameters
from seedbed.methods.table import build_method


def objective(name, parameters):
    method = build_method(name, parameters, classes=CLASSES, rng=0)
    one = batch()
    clusters = torch.where(one.labels > 0.5, 0.0, -1.0)
    method.eval()
    labels = torch.ones(len(clusters), *one.images.shape[2:], dtype=torch.long)
    torch.manual_seed(0)
    (found,) = method.objectives(replace(one, fields={FIELD: clusters, LABELS: labels}), QUARTER)
    return found


@pytest.mark.parametrize(
    ("name", "model", "more"),
    [("cam", ClassMeanParameters, {}), ("subcategory", SubcategoryParameters, {"subcategories": 2})],
)
def test_three_classes_at_rates_for_twenty(name, model, more):
    plain = objective(name, model(**TINY, **more))
    for count, factor in ((20, 3 / 20), (3, 1), (80, 3 / 80)):
        scaled = objective(name, model(**TINY, **more, loss_classes=count))
        assert scaled.loss.item() == pytest.approx(factor * plain.loss.item(), rel=1e-5)
        for part, value in plain.parts.items():
            assert scaled.parts[part].item() == pytest.approx(factor * value.item(), rel=1e-5)


@pytest.mark.parametrize(
    ("name", "model", "more", "scaled_parts"),
    [
        ("seam", SeamParameters, {"view_scale": 0.6}, {"classification", "equivariance"}),
        ("ppc", PpcParameters, {"view_scale": 0.6}, {"classification", "equivariance"}),
        ("prototype_contrast", PrototypeContrastParameters, {}, {"classification"}),
        ("isim", IsimParameters, {}, {"classification"}),
    ],
)
def test_only_means_over_classes_shrink(name, model, more, scaled_parts):
    """Three classes at rates for twenty; the rest are means over pixels. L_ECR is by hand in test_equivariance.py."""
    plain, scaled = (objective(name, model(**TINY, **more, loss_classes=n)).parts for n in (None, 20))
    for part, value in plain.items():
        factor = 3 / 20 if part in scaled_parts else 1
        if part != "cross_equivariance":
            assert scaled[part].item() == pytest.approx(factor * value.item(), rel=1e-5), part
    if "cross_equivariance" in plain:
        assert 0 < scaled["cross_equivariance"] < plain["cross_equivariance"]


def test_a_method_without_the_option_keeps_means():
    assert CamParameters(**TINY).class_factor(6) == 1


@pytest.mark.parametrize("stages", [0, 1])
def test_affinitynets_first_stages_are_frozen(stages):
    """With trained batch norm, of which the frozen stages' keeps its statistics, too."""
    parameters = AffinityParameters(**TINY, frozen_stages=stages, batch_norm="trained")
    method = AffinityMethod(parameters, classes=1, rng=0)
    first, later = method.affinitynet.backbone.stages[0], method.affinitynet.backbone.stages[1]
    method.train()
    assert {p.requires_grad for module in first for p in module.parameters(recurse=False)} == {not stages}
    assert {module.training for module in first} == {not stages}
    assert all(p.requires_grad for module in later for p in module.parameters(recurse=False))
    assert {module.training for module in later} == {True}


def test_more_frozen_stages_than_there_are_is_refused():
    with pytest.raises(ValueError, match="expected frozen_stages from 0 to 5 for this backbone, got 6"):
        AffinityMethod(AffinityParameters(**TINY, frozen_stages=6), classes=1, rng=0)
