"""One equation, five methods: hand-worked loss, who moves, where gradients flow, how often each network is passed."""

import math

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from methods.puzzle_erasing_toys import (
    ADVERSARY,
    ERASING,
    QUARTER,
    TERMS,
    TINY,
    Loader,
    Pooled,
    batch,
    by_hand,
    method_of,
    plus,
    striped,
    train,
)
from seedbed.errors import SeedbedError
from seedbed.input.batch import Batch
from seedbed.methods.base import Progress
from seedbed.methods.puzzle_erasing import PuzzleErasingParameters
from seedbed.methods.table import build_method
from seedbed.networks.weights import digest

CLASSIFICATION = (plus(-2) + plus(-0.5)) / 2
TILES = (plus(-1.5) + plus(-1)) / 2


def test_all_terms_by_hand():
    """At a quarter of training λ_re = 2, λ_cse = 0.3 + 0.7/4, λ_noc = 1/4."""
    method = by_hand(reconstruction_weight=(0.0, 4.0), **ERASING, **ADVERSARY, adversary_threshold=0.5)
    first, second = method.objectives(striped([1.0, 0.0]), QUARTER)
    expected = {
        "classification": CLASSIFICATION,
        "tiles": TILES,
        "reconstruction": 0.5 * 4 / 8,
        "erasing": (plus(1) + plus(1)) / 2,
    }
    assert {name: part.item() for name, part in first.parts.items()} == pytest.approx(expected, abs=1e-4)
    total = CLASSIFICATION + TILES + 2 * 0.25 + 0.475 * plus(1)
    assert (first.player, first.loss.item()) == ("classifier", pytest.approx(total, abs=1e-4))
    noc = (plus(-0.0) + plus(1.5)) / 2
    assert (second.player, second.loss.item()) == ("adversary", pytest.approx(noc / 4, abs=1e-4))


def test_reconstruction_over_present_maps():
    method = by_hand(reconstruction_weight=(0.0, 4.0), reconstruction_mean="present")
    (only,) = method.objectives(striped([1.0, 0.0]), QUARTER)
    assert only.parts["reconstruction"].item() == pytest.approx(0.5)


@pytest.mark.parametrize("smoothed", [("classification",), ("tiles",), ("erasing",), ("adversary",), ()])
def test_smoothing_by_term(smoothed):
    """Smoothing by a adds a/2 (x - target side): ℓ' = ℓ + a/2 · mean(±x), + for label 1, - for label 0."""
    method = by_hand(
        reconstruction_weight=(0.0, 4.0),
        **ERASING,
        **ADVERSARY,
        adversary_threshold=0.5,
        label_smoothing=0.2,
        smoothed=smoothed,
    )
    first, second = method.objectives(striped([1.0, 0.0]), QUARTER)
    found = {name: part.item() for name, part in first.parts.items()} | {"adversary": 4 * second.loss.item()}
    plain = {
        "classification": (CLASSIFICATION, (2 + 0.5) / 2),
        "tiles": (TILES, (1.5 + 1) / 2),
        "erasing": (plus(1), (-1 - 1) / 2),
        "adversary": ((plus(0) + plus(1.5)) / 2, (0 - 1.5) / 2),
    }
    for term, (loss, slope) in plain.items():
        assert found[term] == pytest.approx(loss + 0.1 * slope * (term in smoothed), abs=1e-4), term


def test_weight_by_epoch_is_ocs_cses():
    """0.3 + 0.05 · epoch over 15 epochs, constant within one."""
    method = by_hand(**ERASING, erasing_ramp="epoch")
    for epoch in range(15):
        for step in (10 * epoch, 10 * epoch + 9):
            (objective,) = method.objectives(striped([1.0, 0.0]), Progress(step, 150, epoch, 15))
            weight = (objective.loss - objective.parts["classification"]) / objective.parts["erasing"]
            assert weight.item() == pytest.approx(0.3 + 0.05 * epoch, abs=1e-5)


@pytest.mark.parametrize(("norm", "share"), [("batch", 1 / 3), ("image", 1.0)])
def test_soft_mask_of_a_weak_image_beside_a_strong_one(norm, share):
    """The second image's map is a third of the first's; its judge sees 1 - share of the masked rows' mean colour."""
    method = by_hand(**ERASING, erasing_norm=norm)
    method.classifier = Pooled([[3.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    seen = []
    method.ordinary_classifier.register_forward_hook(lambda _, inputs, out: seen.append(inputs[0]))
    one = striped([1.0, 0.0])
    images = torch.cat([one.images, one.images / 3])
    list(
        method.objectives(
            Batch(("a", "b"), images, one.labels.repeat(2, 1), one.valid.repeat(2, 1, 1)), QUARTER
        )
    )
    (erased,) = seen
    assert erased[0, 1, 0, 0].item() == pytest.approx(0, abs=1e-4)
    assert erased[1, 1, 0, 0].item() == pytest.approx((1 - share) / 3, abs=1e-4)


def test_image_without_a_class_is_not_erased():
    method = by_hand(**ERASING)
    seen = []
    method.ordinary_classifier.register_forward_hook(lambda _, inputs, out: seen.append(inputs[0]))
    one = striped([0.0, 0.0])
    list(method.objectives(one, QUARTER))
    assert torch.equal(seen[0], one.images)


def test_judge_with_another_normalisation_sees_the_same_picture():
    """(x · std + mean) is one picture for both."""
    method = by_hand(**ERASING)
    method.mean, method.std = (0.1, 0.2, 0.3), (0.5, 0.5, 0.25)
    seen = []
    method.ordinary_classifier.register_forward_hook(lambda _, inputs, out: seen.append(inputs[0]))
    one = striped([0.0, 0.0])
    list(method.objectives(one, QUARTER))
    for channel in range(3):
        picture = one.images[0, channel] * method.std[channel] + method.mean[channel]
        mean, std = (0.485, 0.456, 0.406)[channel], (0.229, 0.224, 0.225)[channel]
        torch.testing.assert_close(seen[0][0, channel], (picture - mean) / std, atol=1e-5, rtol=1e-5)


PASSES = {
    # forward and backward passes a step: of the classifier, of what judges.
    ("cam", 1): ((1, 1), (0, 0)),
    ("puzzle", 1): ((2, 2), (0, 0)),
    ("occse", 1): ((1, 1), (1, 1)),
    ("poc", 1): ((2, 2), (1, 1)),
    ("pnoc", 1): ((2, 2), (2, 2)),
    ("pnoc", 2): ((2, 2), (1.5, 1.5)),
}


@pytest.mark.parametrize(("name", "every"), PASSES)
def test_passes_a_step(name, every, tmp_path):
    method = method_of(name, adversary_every=every)
    counts = {}

    def count(key, network):
        network.head.register_forward_hook(
            lambda *_: counts.update({(key, "f"): counts.get((key, "f"), 0) + 1})
        )
        network.head.register_full_backward_hook(
            lambda *_: counts.update({(key, "b"): counts.get((key, "b"), 0) + 1})
        )

    count("classifier", method.classifier)
    judge = method.adversary or method.ordinary_classifier
    if judge is not None:
        count("judge", judge)
    train(method, tmp_path)
    steps = 8
    found = tuple(tuple(counts.get((key, way), 0) / steps for way in "fb") for key in ("classifier", "judge"))
    assert found == PASSES[name, every]


class Watching:
    """Notes whose weights moved while the generator was suspended at each yield."""

    def __init__(self, method):
        self.moved, inner = [], method.objectives

        def objectives(batch, progress):
            for objective in inner(batch, progress):
                before = {name: self.state(network) for name, network in self.bare.items()}
                yield objective
                moved = {name for name, network in self.bare.items() if self.state(network) != before[name]}
                self.moved.append((progress.step, objective.player, moved))

        self.bare = method.networks()
        method.objectives = objectives

    @staticmethod
    def state(network):
        return digest(dict(network.named_parameters()))


@pytest.mark.parametrize("every", [1, 3])
def test_only_the_yielded_player_moves(every, tmp_path):
    method = method_of("pnoc", adversary_every=every)
    watching = Watching(method)
    train(method, tmp_path, training={"epochs": 1})
    expected = []
    for step in range(4):
        expected.append((step, "classifier", {"classifier"}))
        if step % every == 0:
            expected.append((step, "adversary", {"adversary"}))
    assert watching.moved == expected


@pytest.mark.parametrize("name", ["occse", "poc"])
def test_the_ordinary_classifier_never_moves_and_gets_no_gradient(name, tmp_path):
    method = method_of(name)
    before = digest(method.ordinary_classifier.state_dict())
    train(method, tmp_path)
    assert digest(method.ordinary_classifier.state_dict()) == before
    assert all(p.grad is None and not p.requires_grad for p in method.ordinary_classifier.parameters())
    assert list(method.networks()) == ["classifier"]


def gradients(loss, network):
    trainable = [p for p in network.parameters() if p.requires_grad]
    found = torch.autograd.grad(loss, trainable, retain_graph=True, allow_unused=True)
    return sum(0.0 if g is None else float(g.abs().sum()) for g in found)


def test_erasing_reaches_the_classifier_through_the_mask():
    method = method_of("occse")
    (objective,) = method.objectives(batch(), QUARTER)
    assert gradients(objective.parts["erasing"], method.classifier) > 0


def test_each_players_loss_reaches_its_own_weights_only():
    """The classifier's loss passes through the adversary, whose gradient the loop does not ask for."""
    method = method_of("pnoc")
    steps = method.objectives(batch(), QUARTER)
    assert not method.adversary.training
    first = next(steps)
    assert gradients(first.loss, method.classifier) > 0
    second = next(steps)
    assert method.adversary.training
    assert gradients(second.loss, method.classifier) == 0
    assert gradients(second.loss, method.adversary) > 0
    assert list(steps) == []
    assert not method.adversary.training


def test_adversary_starts_as_the_ordinary_classifier_and_keeps_its_batch_norm(tmp_path):
    method, before = method_of("pnoc"), method_of("occse").ordinary_classifier.state_dict()
    assert digest(method.adversary.state_dict()) == digest(before)
    train(method, tmp_path)
    after = method.adversary.state_dict()
    changed = {n for n in after if not torch.equal(after[n], before[n])}
    norms = [n for n, m in method.adversary.named_modules() if isinstance(m, nn.BatchNorm2d)]
    assert changed
    assert norms
    assert not [n for n in changed if n.rpartition(".")[0] in norms]


def test_image_and_tiles_train_the_classifiers_batch_norm(tmp_path):
    method = method_of("puzzle")
    before = {n: b.clone() for n, b in method.classifier.named_buffers() if n.endswith("running_mean")}
    train(method, tmp_path, training={"epochs": 1})
    assert all(not torch.equal(b, before[n]) for n, b in method.classifier.named_buffers() if n in before)


class Stop(Exception):  # noqa: N818
    pass


class Stopping(Loader):
    def __init__(self, at):
        super().__init__()
        self.at = at

    def epoch(self, epoch, start=0):
        for k, one in enumerate(super().epoch(epoch, start), start):
            if (epoch, k) == (1, self.at):
                raise Stop
            yield one


@pytest.mark.parametrize("at", [0, 1, 3])
def test_resumed_alternating_training_ends_in_the_same_bytes(at, tmp_path):
    """Both players, both optimisers' momentum, the choice of r, and k = 2 between the steps."""
    settings = {"adversary_every": 2, "dropout": 0.3}
    alone = method_of("pnoc", **settings)
    history = train(alone, tmp_path / "alone")
    with pytest.raises(Stop):
        train(method_of("pnoc", **settings), tmp_path / "w", Stopping(at), checkpoint_steps=1)
    resumed = method_of("pnoc", rng=5, **settings)
    again = train(resumed, tmp_path / "w")
    assert digest(resumed.state_dict()) == digest(alone.state_dict())
    assert again.to_csv() == history.to_csv()


def test_accumulated_step_is_counted_once_a_player(tmp_path):
    method = method_of("pnoc")
    watching = Watching(method)
    history = train(method, tmp_path, training={"epochs": 1, "accumulate": 2})
    assert [moved for _, _, moved in watching.moved] == [set(), set(), {"classifier"}, {"adversary"}] * 2
    assert len(history.rows) == 2


@pytest.mark.parametrize("name", TERMS)
def test_parts_are_logged_by_name(name, tmp_path):
    history = train(method_of(name), tmp_path, training={"epochs": 1})
    terms = {"classification"}
    if name in ("puzzle", "poc", "pnoc"):
        terms |= {"tiles", "reconstruction"}
    if name in ("occse", "poc", "pnoc"):
        terms |= {"erasing"}
    columns = {f"classifier/{term}" for term in (*terms, "loss")}
    columns |= {"adversary/loss"} if name == "pnoc" else set()
    assert set(history.rows[0]) - {"epoch", "step", "lr"} == columns
    assert all(math.isfinite(value) for row in history.rows for value in row.values())


def test_built_for_inference_without_the_ordinary_classifier():
    parameters = PuzzleErasingParameters(**TINY, **TERMS["pnoc"])
    method = build_method("puzzle_erasing", parameters, classes=3, rng=0)
    assert list(method.networks()) == ["classifier"]
    with pytest.raises(ValueError, match="erasing_weight needs an ordinary classifier"):
        list(method.objectives(batch(), QUARTER))


def test_crop_whose_tiles_do_not_fit_is_named():
    """40 pixels: 3 cells of 16, but 2 x 2 tiles of 20 pixels have 2 cells each."""
    message = r"class maps of 2 x 2 tiles merge to \(4, 4\) cells, but those of the whole 40 x 40 crop have \(3, 3\)"
    with pytest.raises(ValueError, match=message):
        list(method_of("puzzle").objectives(batch(pixels=40), QUARTER))


def test_constant_class_maps_stop_the_run_and_leave_the_checkpoint(tmp_path):
    """Dead features: every map is 0 from the second epoch's second step on."""
    method = method_of("puzzle")
    inner = method.objectives

    def dying(one, progress):
        if progress.step == 5:
            with torch.no_grad():
                method.classifier.head.weight.zero_()
        yield from inner(one, progress)

    method.objectives = dying
    with pytest.raises(
        SeedbedError, match=r"epoch 2, step 2: the class maps of all \d+ present classes are constant"
    ):
        train(method, tmp_path)
    assert (tmp_path / "checkpoint.pt").is_file()


def test_adversary_needs_erasing():
    with pytest.raises(ValidationError, match="adversary_weight needs erasing_weight"):
        PuzzleErasingParameters(**ADVERSARY)
