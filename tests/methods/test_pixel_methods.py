"""SEAM, PPC and the simpler prototype contrast: one step by hand, what is differentiated, odd batches."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from seedbed.errors import SeedbedError
from seedbed.input.batch import Batch
from seedbed.losses import equivariance, prototypes
from seedbed.losses.multilabel import multilabel_soft_margin
from seedbed.methods.base import Progress
from seedbed.methods.table import build_method, method_entry
from seedbed.networks.pixel_network import PixelOutput

CLASSES = 3
TINY = {"backbone": "test_resnet", "weights": "none", "output_stride": 16}
NAMES = ("seam", "ppc", "prototype_contrast")
SEAM_PARTS = {"classification", "minimum", "equivariance", "cross_equivariance"}
PARTS = {
    "seam": SEAM_PARTS,
    "ppc": SEAM_PARTS | {"cross_prototype", "cross_label", "intra_view"},
    "prototype_contrast": {"classification", "contrast"},
}
START = Progress(0, 1, 0, 1)


def method_of(name, **settings_):
    torch.manual_seed(0)
    return build_method(name, method_entry(name).parameters(**(TINY | settings_)), classes=CLASSES, rng=0)


def batch(labels, pixels=64, seed=0, fields=None):
    images = torch.randn(len(labels), 3, pixels, pixels, generator=torch.Generator().manual_seed(seed))
    valid = torch.ones(len(labels), pixels, pixels, dtype=torch.bool)
    return Batch(tuple(map(str, range(len(labels)))), images, torch.tensor(labels), valid, fields or {})


def step(method, one):
    (objective,) = method.objectives(one, START)
    assert objective.player == "classifier"
    return objective


TWO = [[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]


class Seen(nn.Module):
    """Answers with what it is given, one output after the other, and remembers the images."""

    def __init__(self, *answers):
        super().__init__()
        self.answers, self.images = iter(answers), []

    def forward(self, images):
        self.images.append(images)
        return next(self.answers)


def output(cam_logits, refined=None, embeddings=None):
    return PixelOutput(cam_logits.mean((2, 3)), cam_logits, refined, embeddings)


def test_seams_step_by_hand():
    """One class; views of 20 x 20 and 6 x 6 pixels, both of 2 x 2 cells, whose maps are equal but for a factor.

    Plain maps 0 and 4 in the left and right column, stretched to 0 and 1, are the goal; the refined ones are its mirror
    image, so that the largest fifth of the differences are the corners', all 1: L_ECR is 1 twice, L_ER is 0. Means are
    2 and 4.
    """
    logits = torch.tensor([[[[0.0, 4.0], [0.0, 4.0]]]])
    mirror = torch.tensor([[[[0.0, 1.0], [0.0, 1.0]], [[1.0, 0.0], [1.0, 0.0]]]])
    method = method_of("seam", cross_share=0.02)
    method.classifier = Seen(output(logits, mirror), output(2 * logits, mirror))
    one = Batch(("a",), torch.randn(1, 3, 20, 20), torch.ones(1, 1), torch.ones(1, 20, 20, dtype=torch.bool))
    objective = step(method, one)
    first, second = method.classifier.images
    assert (first.shape[2:], second.shape[2:]) == ((20, 20), (6, 6))
    torch.testing.assert_close(second[:, :, ::5, ::5], first[:, :, ::19, ::19])  # corners are aligned
    parts = {name: value.item() for name, value in objective.parts.items()}
    assert parts["classification"] == pytest.approx(
        (math.log(1 + math.exp(-2)) + math.log(1 + math.exp(-4))) / 2, rel=1e-5
    )
    assert parts["equivariance"] == pytest.approx(0, abs=1e-4)
    assert parts["cross_equivariance"] == pytest.approx(2, abs=1e-3)
    # Of 20 columns with i/19 each, the lowest 5; of 36 pixels the lowest 9: 6 of 0 and 3 of 0.2.
    minima = (0 + 1 + 2 + 3 + 4) / 19 / 5, (6 * 0 + 3 * 0.2) / 9
    assert parts["minimum"] == pytest.approx(sum(minima) / 2, rel=1e-4)
    assert objective.loss.item() == pytest.approx(sum(parts.values()), rel=1e-5)


@pytest.mark.parametrize(
    ("weights", "kept"),
    [
        ({"minimum_weight": 0.0, "equivariance_weight": 0.0}, {"classification", "cross_equivariance"}),
        ({"cross_weight": 0.0}, {"classification", "minimum", "equivariance"}),
    ],
)
def test_weights_of_seams_terms(weights, kept):
    objective = step(method_of("seam", **weights), batch(TWO))
    assert objective.loss.item() == pytest.approx(sum(objective.parts[k].item() for k in kept), rel=1e-5)


def test_absent_classes_do_not_enter_seams_comparison():
    """Whatever the maps of absent classes are, only the classification and what PCM lets compete changes."""
    logits = torch.randn(1, CLASSES, 4, 4)
    other = logits.clone()
    other[:, 1] = 9 * torch.rand(4, 4)
    refined = torch.rand(1, CLASSES + 1, 4, 4)
    found = []
    for maps in (logits, other):
        method = method_of("seam")
        method.classifier = Seen(output(maps, refined), output(maps.flip(3), refined))
        found.append(step(method, batch([[1.0, 0.0, 1.0]])).parts)
    assert found[0]["classification"] != found[1]["classification"]
    for name in ("equivariance", "cross_equivariance", "minimum"):
        assert found[0][name] == found[1][name]


def gradients(method, loss):
    """Whether a loss reaches the backbone, the head, the module and the projection."""
    network = method.classifier
    reached = {}
    for name in ("backbone", "head", "correlation", "projection"):
        part = getattr(network, name)
        if part is not None:
            found = torch.autograd.grad(loss, list(part.parameters()), retain_graph=True, allow_unused=True)
            reached[name] = any(g is not None and bool(g.abs().sum() > 0) for g in found)
            assert all(g.isfinite().all() for g in found if g is not None)
    return {name for name, yes in reached.items() if yes}


REACHES = {
    "classification": {"backbone", "head"},
    "equivariance": {"backbone", "head"},
    "minimum": {"correlation"},
    "cross_equivariance": {"correlation"},
    "cross_prototype": {"backbone", "projection"},
    "cross_label": {"backbone", "projection"},
    "intra_view": {"backbone", "projection"},
    "contrast": {"backbone", "projection"},
}


@pytest.mark.parametrize("name", NAMES)
def test_each_term_trains_what_it_may(name):
    """PCM's losses stop at the detached maps and CAMs; the contrast goes around the head."""
    method = method_of(name)
    parts = step(method, batch(TWO, pixels=96)).parts
    assert set(parts) == PARTS[name]
    for term, value in parts.items():
        assert gradients(method, value) == REACHES[term], term


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "labels",
    [[[0.0, 0.0, 0.0]], [[0.0, 1.0, 0.0]], [[1.0, 1.0, 1.0]], [[0.0] * 3, [1.0, 0.0, 0.0]]],
    ids=["no class", "one class", "all classes", "one image without"],
)
def test_odd_batches_stay_finite(name, labels):
    method = method_of(name)
    objective = step(method, batch(labels))
    objective.loss.backward()
    assert all(value.isfinite() for value in (objective.loss, *objective.parts.values()))
    found = [p.grad for p in method.classifier.parameters() if p.grad is not None]
    assert found
    assert all(g.isfinite().all() for g in found)


def ppc_by_parts(method, one, first, second):
    """The contrast put together by hand from its parts, with the second view's random numbers after the first's."""
    p = method.settings
    labels, protos, pixels = [], [], []
    for view in (first, second):
        scores = equivariance.stretched(equivariance.resized(view.refined_cams[:, 1:], (2, 2)))
        labels.append(prototypes.pixel_labels(scores, one.labels, p.contrast_background))
        weights = prototypes.pixel_weights(
            scores, one.labels, p.contrast_background, p.absent_classes, p.background_prototype
        )
        pixels.append(equivariance.resized(view.embeddings, (2, 2)))
        protos.append(prototypes.class_prototypes(pixels[-1], weights, 1))
    contrast, intra = prototypes.contrast_loss, prototypes.intra_view_loss
    uniform = torch.rand(2, *labels[0].shape)
    return {
        "cross_prototype": contrast(pixels[0], labels[0], protos[1])
        + contrast(pixels[1], labels[1], protos[0]),
        "cross_label": contrast(pixels[0], labels[1], protos[0]) + contrast(pixels[1], labels[0], protos[1]),
        "intra_view": sum(
            intra(pixels[k], labels[k], protos[k], uniform[k], ranked=p.ranked) for k in (0, 1)
        ),
    }


@pytest.mark.parametrize(
    "choices", [{}, {"absent_classes": "taken", "background_prototype": "constant", "ranked": "all"}]
)
def test_ppcs_terms_cross_the_views(choices):
    one = batch(TWO, pixels=20)
    first, second = (
        output(
            torch.randn(2, CLASSES, size, size),
            torch.rand(2, CLASSES + 1, size, size),
            torch.rand(2, 5, size, size),
        )
        for size in (4, 2)
    )
    method = method_of("ppc", **choices)
    method.classifier = Seen(first, second)
    torch.manual_seed(7)
    objective = step(method, one)
    torch.manual_seed(7)
    by_hand = ppc_by_parts(method, one, first, second)
    total = sum(objective.parts[k].item() for k in SEAM_PARTS)
    for name, twice in by_hand.items():
        assert objective.parts[name].item() == pytest.approx(twice.item() / 2, rel=1e-5, abs=1e-7)
        total += 0.1 * objective.parts[name].item()
    assert objective.loss.item() == pytest.approx(total, rel=1e-5)


def test_a_published_defect_gives_absent_classes_prototypes(monkeypatch):
    """No image has the second class; its prototype exists only where maps of absent classes are taken."""
    found = []
    true = prototypes.class_prototypes
    monkeypatch.setattr(
        prototypes, "class_prototypes", lambda *given_: found.append(true(*given_)) or found[-1]
    )
    first = output(torch.randn(1, 3, 4, 4), torch.rand(1, 4, 4, 4), torch.rand(1, 5, 4, 4))
    for choice, expected in (("left_out", [True, True, False, True]), ("taken", [True] * 4)):
        method = method_of("ppc", absent_classes=choice)
        method.classifier = Seen(first, first)
        step(method, batch([[1.0, 0.0, 1.0]], pixels=20))
        assert [p.exists.tolist() for p in found] == [expected] * 2
        found.clear()


@settings(max_examples=10, deadline=None)
@given(st.lists(st.booleans(), min_size=3, max_size=3), st.integers(0, 99))
def test_simple_contrast_by_its_parts(present, seed):
    """Own CAMs choose the pixels, here 1 of 9 · 0.125 per class."""
    generator = torch.Generator().manual_seed(seed)
    made = output(
        torch.randn(1, CLASSES, 3, 3, generator=generator),
        embeddings=torch.rand(1, 5, 3, 3, generator=generator),
    )
    method = method_of("prototype_contrast", contrast_weight=0.5)
    method.classifier = Seen(made)
    one = batch([[float(p) for p in present]])
    objective = step(method, one)
    scores = equivariance.stretched(made.cam_logits)
    weights = prototypes.pixel_weights(scores, one.labels, 0.2)
    protos = prototypes.class_prototypes(made.embeddings, weights, 1, "unit")
    contrast = prototypes.contrast_loss(
        made.embeddings, prototypes.pixel_labels(scores, one.labels, 0.2), protos
    )
    classification = multilabel_soft_margin(made.class_logits, one.labels)
    assert objective.parts["contrast"].item() == pytest.approx(contrast.item(), rel=1e-6)
    assert objective.loss.item() == pytest.approx((classification + 0.5 * contrast).item(), rel=1e-6)


def test_initial_cams_choose_the_pixels_instead(monkeypatch):
    """A field of 8 x 8 pixels, averaged over 2 x 2 cells, of which the upper left is half on the class."""
    seen = []
    true = prototypes.pixel_weights
    monkeypatch.setattr(prototypes, "pixel_weights", lambda *given_: seen.append(given_[0]) or true(*given_))
    field = torch.zeros(1, CLASSES, 8, 8)
    field[0, 1, :4, :2] = 1
    method = method_of("prototype_contrast")
    method.classifier = Seen(output(torch.randn(1, CLASSES, 2, 2), embeddings=torch.rand(1, 5, 2, 2)))
    step(method, batch([[0.0, 1.0, 0.0]], fields={"initial_cams": field}))
    expected = torch.zeros(1, CLASSES, 2, 2)
    expected[0, 1, 0, 0] = 0.5
    assert torch.equal(seen[0], expected)


@pytest.mark.parametrize("name", ["ppc", "prototype_contrast"])
def test_padding_is_not_compared(name):
    """Only the left half is a photograph: what the right half of the embeddings holds makes no difference."""
    first = output(torch.randn(1, 3, 4, 4), torch.rand(1, 4, 4, 4), torch.rand(1, 5, 4, 4))
    changed = first.embeddings.clone()
    changed[..., 2:] = torch.rand(1, 5, 4, 2)
    one = batch([[1.0, 0.0, 1.0]], pixels=20)
    one.valid[..., 10:] = False
    for padding, equal in (("left_out", True), ("taken", False)):
        losses = []
        for embeddings in (first.embeddings, changed):
            method = method_of(name, padding=padding)
            answer = first._replace(embeddings=embeddings)
            method.classifier = Seen(answer, answer)
            torch.manual_seed(1)
            losses.append(step(method, one).loss.item())
        assert (losses[0] == pytest.approx(losses[1], rel=1e-6)) == equal


def test_a_second_view_of_one_cell_is_refused():
    with pytest.raises(ValueError, match=r"second view of 9 x 9 pixels has a single cell.*raise the crop"):
        step(method_of("seam", output_stride=32), batch(TWO, pixels=32))


def test_dead_features_are_told():
    method = method_of("seam")
    method.classifier = Seen(output(torch.zeros(2, CLASSES, 4, 4), torch.zeros(2, 4, 4, 4)))
    with pytest.raises(SeedbedError, match="the class maps of all 3 present classes are constant"):
        step(method, batch(TWO))
