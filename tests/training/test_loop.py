"""The loop: what moves at which yield, accumulation, resumption, guards."""

import contextlib
import hashlib
import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from seedbed.artifacts.models import encode_epochs
from seedbed.errors import SeedbedError
from seedbed.input.field_store import FieldStore
from seedbed.methods.base import Objective
from seedbed.networks.weights import digest
from seedbed.training.checkpoint import NAME, load_checkpoint
from seedbed.training.loop import keyed_seed
from training.toy_training import Toy, ToyLoader, train


def test_equal_runs_are_equal_and_rng_matters(tmp_path):
    first, history = train(tmp_path / "a")
    second, again = train(tmp_path / "b")
    other, _ = train(tmp_path / "c", rng=4)
    assert digest(first.state_dict()) == digest(second.state_dict()) != digest(other.state_dict())
    assert history.to_csv() == again.to_csv()
    assert [row["step"] for row in history.rows] == list(range(18))
    assert all("rival/loss" in row for row in history.rows[::2])
    assert not any("rival/loss" in row for row in history.rows[1::2])


def test_global_generator_and_settings_come_back(tmp_path):
    torch.manual_seed(11)
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    method, _ = train(tmp_path, parameters={"deterministic": True})
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == threads
    assert not torch.are_deterministic_algorithms_enabled()
    assert type(method.learner).__name__ == "ToyNetwork"
    assert not any(network.training for network in method.networks().values())


class Depthwise(Toy):
    """Has a depthwise convolution in its learner's head; `broken` stops in the second step."""

    def __init__(self, broken=False):
        super().__init__()
        self.learner.backbone.append(nn.Conv2d(4, 4, 5, groups=4))
        self.functions, self.broken = set(), broken

    def objectives(self, batch, progress):
        images = batch.images
        for layer in self.networks()["learner"].backbone:
            images = layer(images)
        self.functions.add(type(images.grad_fn).__name__)
        if self.broken and progress.step:
            raise ValueError("broken")
        yield from super().objectives(batch, progress)


@pytest.mark.parametrize("broken", [False, True])
def test_depthwise_convolutions_have_fast_gradients_while_training(tmp_path, broken):
    method = Depthwise(broken)
    with pytest.raises(ValueError, match="broken") if broken else contextlib.nullcontext():
        train(tmp_path, method)
    assert method.functions == {"_DepthwiseBackward"}
    result = method.learner.backbone[-1](torch.randn(1, 4, 8, 8))
    assert type(result.grad_fn).__name__ == "ConvolutionBackward0"


class Watching(Toy):
    """Notes which networks' weights moved while the generator was suspended at each yield."""

    def __init__(self):
        super().__init__()
        self.moved = []

    def objectives(self, batch, progress):
        heads = {"learner": self.networks()["learner"].head, "rival": self.networks()["rival"].head}
        for objective in super().objectives(batch, progress):
            before = {name: head.weight.clone() for name, head in heads.items()}
            yield objective
            moved = {name for name, head in heads.items() if not torch.equal(before[name], head.weight)}
            self.moved.append((objective.player, moved))


def test_only_the_yielded_player_moves_before_the_generator_goes_on(tmp_path):
    method = Watching()
    train(tmp_path, method, parameters={"epochs": 1})
    expected = [("learner", {"learner"}), ("rival", {"rival"}), ("learner", {"learner"})]
    assert method.moved == expected * 3


class Entangled(Toy):
    """The rival's loss reaches the learner, whose gradient is not asked for."""

    def objectives(self, batch, progress):
        yield Objective("rival", (self.rival(batch.images) - self.learner(batch.images)).square().mean(), {})
        assert all(p.grad is None for p in self.learner.parameters())


class Entering(Toy):
    """Both losses pass the rival, whose gradient takes both; the learner is a number that the first one moves."""

    def __init__(self, rival_steps):
        super().__init__()
        self.learner, self.rival = (torch.nn.Linear(1, 1, bias=False) for _ in range(2))
        for network in (self.learner, self.rival):
            torch.nn.init.constant_(network.weight, 2.0)
        self.rival_steps = rival_steps

    def objectives(self, batch, progress):
        one = torch.ones(1, 1)
        yield Objective("learner", self.rival(3 * self.learner(one)).sum(), {}, ("rival",))
        if self.rival_steps:
            yield Objective("rival", self.rival(one).sum(), {})


@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_loss_enters_another_players_gradient_by_hand(tmp_path, accumulate):
    """The learner w steps along 3 v; the rival v along 3 w of that loss plus 1 of its own, then begins from 0.

    Both are at 2 for `accumulate` micro-batches, whose mean is the same gradient, and step by a tenth:
    w = 2 - 0.6, v = 2 - 0.7; then w = 1.4 - 0.3 * 1.3, v = 1.3 - 0.1 (3 * 1.4 + 1).
    """
    chosen = PLAIN | {"lr": 0.1, "epochs": 1, "accumulate": accumulate}
    method, _ = train(tmp_path, Entering(True), ToyLoader(batches=2 * accumulate), parameters=chosen)
    assert method.learner.weight.item() == pytest.approx(1.01, abs=1e-6)
    assert method.rival.weight.item() == pytest.approx(0.78, abs=1e-6)


def test_a_gradient_that_no_step_takes_is_refused(tmp_path):
    with pytest.raises(
        SeedbedError, match="a loss entered the gradients of rival, which did not step afterwards"
    ):
        train(tmp_path, Entering(False), parameters=PLAIN)


def test_other_players_collect_no_gradient(tmp_path):
    method = Entangled()
    before = {n: p.clone() for n, p in method.learner.named_parameters()}
    train(tmp_path, method, parameters={"epochs": 1})
    assert all(torch.equal(p, before[n]) for n, p in method.learner.named_parameters())


class Linear(Toy):
    """One weight w, loss w times the mean of the images: plain SGD can be done by hand."""

    def __init__(self):
        super().__init__()
        self.learner = torch.nn.Linear(1, 1, bias=False)
        torch.nn.init.zeros_(self.learner.weight)

    def networks(self):
        return {"learner": self.learner}

    def objectives(self, batch, progress):
        yield Objective("learner", self.learner(batch.images.mean().reshape(1, 1)).sum(), {})


PLAIN = {"momentum": 0.0, "weight_decay": 0.0, "poly_power": 0.0, "lr": 1.0, "head_lr_factor": 1.0}


@pytest.mark.parametrize("accumulate", [1, 2, 3])
@pytest.mark.parametrize("accumulation", ["mean", "sum"])
def test_accumulation_by_hand(tmp_path, accumulate, accumulation):
    """dw = -lr · mean or sum of the micro-batches' gradients, and each gradient is that batch's mean."""
    chosen = PLAIN | {"epochs": 1, "accumulate": accumulate, "accumulation": accumulation}
    method, history = train(tmp_path, Linear(), parameters=chosen)
    means = [batch.images.mean().item() for batch in ToyLoader().epoch(0)]
    expected = -sum(means) / (accumulate if accumulation == "mean" else 1)
    assert method.learner.weight.item() == pytest.approx(expected, abs=1e-6)
    assert len(history.rows) == 6 // accumulate


def test_micro_batches_that_fill_no_step_are_left_out(tmp_path):
    method, history = train(tmp_path, Linear(), parameters=PLAIN | {"epochs": 1, "accumulate": 4})
    means = [batch.images.mean().item() for batch in ToyLoader().epoch(0)][:4]
    assert method.learner.weight.item() == pytest.approx(-sum(means) / 4, abs=1e-6)
    assert len(history.rows) == 1


def test_learning_rate_by_hand(tmp_path):
    """Two steps of poly decay with power 1 over two: factors 1 and 1/2; warm-up over two halves the first."""
    chosen = PLAIN | {"epochs": 1, "poly_power": 1.0, "warmup_steps": 2}
    method, history = train(tmp_path, Linear(), ToyLoader(batches=2), parameters=chosen)
    assert [row["lr"] for row in history.rows] == [0.5, 0.5]
    means = [batch.images.mean().item() for batch in ToyLoader().epoch(0)][:2]
    assert method.learner.weight.item() == pytest.approx(-0.5 * sum(means), abs=1e-6)


def test_a_decay_that_ends_early_keeps_its_last_rate_by_hand(tmp_path):
    """Two epochs of three steps at power 1: 1 - 0/6 … 1 - 5/6, and 1/6 from then on."""
    parameters = {"epochs": 3, "lr": 0.06, "poly_power": 1.0, "poly_epochs": 2}
    _, history = train(tmp_path, loader=ToyLoader(batches=3), parameters=parameters)
    expected = [0.06, 0.05, 0.04, 0.03, 0.02, 0.01, 0.01, 0.01, 0.01]
    assert [row["lr"] for row in history.rows] == pytest.approx(expected)


def test_kept_epochs(tmp_path):
    kept = {}
    method, _ = train(tmp_path, parameters={"keep_epochs": (1, 3)}, keep=kept.__setitem__)
    assert list(kept) == [1, 3]
    assert digest(kept[3]) == digest(method.state_dict()) != digest(kept[1])
    everything = {}
    train(tmp_path / "all", parameters={"keep_epochs": "all"}, keep=everything.__setitem__)
    assert list(everything) == [1, 2, 3]
    assert digest(everything[1]) == digest(kept[1])


def test_finished_training_is_not_repeated(tmp_path):
    first, history = train(tmp_path)
    method, again = train(tmp_path, method=Toy(rng=9))
    assert method.started == []
    assert digest(method.state_dict()) == digest(first.state_dict())
    assert again.to_csv() == history.to_csv()


def test_checkpoint_of_another_key_is_wiped(tmp_path):
    train(tmp_path / "w", key="one")
    (tmp_path / "w" / "scratch").mkdir()
    fresh, _ = train(tmp_path / "w", key="two", rng=5)
    alone, _ = train(tmp_path / "x", key="two", rng=5)
    assert digest(fresh.state_dict()) == digest(alone.state_dict())
    assert not (tmp_path / "w" / "scratch").exists()


class Stop(Exception):  # noqa: N818
    pass


def flip_a_bit(path, at=0.5):
    """Of the byte at a share of the file's length."""
    content = bytearray(path.read_bytes())
    content[int(at * (len(content) - 1))] ^= 1
    path.write_bytes(content)


class Stopping(Toy):
    """Fails at a step of the training."""

    def __init__(self, at_step):
        super().__init__()
        self.at_step = at_step

    def objectives(self, batch, progress):
        if progress.step == self.at_step:
            raise Stop
        yield from super().objectives(batch, progress)


def test_damaged_checkpoint_starts_afresh(tmp_path):
    first, _ = train(tmp_path)
    path = tmp_path / NAME
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    (tmp_path / f".{NAME}.abc.tmp").write_bytes(b"half")
    again, _ = train(tmp_path)
    assert digest(again.state_dict()) == digest(first.state_dict())
    assert [p.name for p in tmp_path.iterdir()] == [NAME]


@pytest.mark.parametrize("at", [0.0, 0.3, 0.6, 1.0])
def test_a_flipped_bit_in_a_checkpoint_starts_afresh_and_says_so(tmp_path, at):
    alone, _ = train(tmp_path / "alone")
    with pytest.raises(Stop):
        train(tmp_path / "w", Stopping(at_step=13))
    flip_a_bit(tmp_path / "w" / NAME, at)
    lines = []
    resumed, _ = train(tmp_path / "w", log=lines.append)
    assert lines[0] == f"{tmp_path / 'w' / NAME} is damaged; starting afresh"
    assert resumed.started == [0, 1, 2]
    assert digest(resumed.state_dict()) == digest(alone.state_dict())


def test_a_checkpoint_of_another_version_starts_afresh_and_says_so(tmp_path):
    content = io.BytesIO()
    torch.save({"key": "k", "step": 3}, content)
    digest_line = hashlib.sha256(content.getvalue()).hexdigest().encode() + b"\n"
    (tmp_path / NAME).write_bytes(digest_line + content.getvalue())
    lines = []
    assert load_checkpoint(tmp_path, "k", lines.append) is None
    assert lines == [f"{tmp_path / NAME} is not a checkpoint of this version; starting afresh"]
    assert not tmp_path.exists()


class FieldWriter(Stopping):
    """Writes a field at the start of the first epoch."""

    def on_epoch_start(self, epoch, context):
        super().on_epoch_start(epoch, context)
        if epoch == 0:
            context.fields.write("hints", 0, [("a", np.ones(1000, np.float32))])


def test_a_flipped_bit_in_a_field_starts_afresh_and_says_so(tmp_path):
    def stop():
        with pytest.raises(Stop):
            train(tmp_path, FieldWriter(at_step=13), fields=FieldStore(tmp_path / "fields"))

    stop()
    found = FieldWriter(at_step=100)
    train(tmp_path, found, fields=FieldStore(tmp_path / "fields"))
    assert found.started == [2]
    (tmp_path / NAME).unlink()
    stop()
    flip_a_bit(tmp_path / "fields" / "hints-00000.zip")
    lines, again = [], FieldWriter(at_step=100)
    train(tmp_path, again, fields=FieldStore(tmp_path / "fields"), log=lines.append)
    assert "hints-00000.zip is not the file that checkpoint.pt names; starting afresh" in lines[0]
    assert again.started == [0, 1, 2]


class StoppingLoader(ToyLoader):
    """Fails before a batch of the second epoch."""

    def __init__(self, at):
        super().__init__()
        self.at = at

    def epoch(self, epoch, start=0):
        for k, batch in enumerate(super().epoch(epoch, start), start):
            if (epoch, k) == (1, self.at):
                raise Stop
            yield batch


@pytest.mark.parametrize("optimiser", ["sgd", "adam", "adamw"])
@pytest.mark.parametrize("at", [0, 2, 5])
def test_resumption_at_any_place_gives_the_same_bytes(tmp_path, optimiser, at):
    chosen = {"optimiser": optimiser, "keep_epochs": "all"}
    kept, kept_alone = {}, {}
    alone, history = train(tmp_path / "alone", parameters=chosen, keep=kept_alone.__setitem__)
    with pytest.raises(Stop):
        train(tmp_path / "w", loader=StoppingLoader(at), parameters=chosen, checkpoint_steps=1)
    resumed, again = train(tmp_path / "w", Toy(rng=8), parameters=chosen, keep=kept.__setitem__)
    assert resumed.started == ([1, 2] if at == 0 else [2])
    assert digest(resumed.state_dict()) == digest(alone.state_dict())
    assert history.to_csv() == again.to_csv()
    assert list(kept) == [1, 2, 3]
    assert encode_epochs(kept) == encode_epochs(kept_alone)


def swap_first_two(folder):
    (folder / "00001.safetensors").rename(folder / "0")
    (folder / "00002.safetensors").rename(folder / "00001.safetensors")
    (folder / "0").rename(folder / "00002.safetensors")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda kept: (kept / "00001.safetensors").unlink(), "00001.safetensors is missing, though"),
        (lambda kept: flip_a_bit(kept / "00002.safetensors"), "00002.safetensors is not the file that"),
        (swap_first_two, "is not the file that checkpoint.pt names"),
    ],
    ids=["missing", "flipped", "swapped"],
)
def test_damaged_kept_epochs_start_afresh_and_say_so(tmp_path, damage, message):
    chosen = {"keep_epochs": (1, 2)}
    alone = {}
    train(tmp_path / "alone", parameters=chosen, keep=alone.__setitem__)
    with pytest.raises(Stop):
        train(tmp_path / "w", Stopping(at_step=13), parameters=chosen)
    damage(tmp_path / "w" / "kept")
    lines, kept = [], {}
    resumed, _ = train(tmp_path / "w", parameters=chosen, keep=kept.__setitem__, log=lines.append)
    assert message in lines[0]
    assert lines[0].endswith("; starting afresh")
    assert resumed.started == [0, 1, 2]
    assert encode_epochs(kept) == encode_epochs(alone)


@pytest.mark.parametrize("accumulate", [1, 2])
def test_killed_process_resumes_to_the_same_bytes(tmp_path, accumulate):
    """SIGKILL in the middle of an epoch, for real."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    script = Path(__file__).with_name("toy_training.py")
    work = tmp_path / "w"
    command = [sys.executable, str(script), str(work), str(accumulate)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "here\n"
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    found = load_checkpoint(work, "k")
    assert found is not None
    assert (found.epoch, found.index) == (1, 3 // accumulate)
    lines, kept, kept_alone = [], {}, {}
    chosen = {"accumulate": accumulate, "keep_epochs": (1,)}
    resumed, history = train(
        work,
        Toy(rng=8),
        parameters=chosen,
        log=lines.append,
        checkpoint_steps=1,
        keep=kept.__setitem__,
    )
    alone, expected = train(tmp_path / "alone", parameters=chosen, keep=kept_alone.__setitem__)
    assert digest(resumed.state_dict()) == digest(alone.state_dict())
    assert history.to_csv() == expected.to_csv()
    assert list(kept) == [1]
    assert encode_epochs(kept) == encode_epochs(kept_alone)
    assert lines[0].startswith("resuming at epoch 2, step")


class Bad(Toy):
    def __init__(self, fault, at=7):
        super().__init__()
        self.fault, self.at = fault, at

    def objectives(self, batch, progress):
        for objective in super().objectives(batch, progress):
            changed = objective
            if progress.step == self.at:
                if self.fault == "nan":
                    changed = objective._replace(loss=objective.loss * float("nan"))
                elif self.fault == "detached":
                    changed = objective._replace(loss=objective.loss.detach())
                elif self.fault == "other":
                    changed = objective._replace(loss=self.rival(batch.images).sum())
                elif self.fault == "player":
                    changed = objective._replace(player="learned")
            yield changed
        if self.fault == "weights" and progress.step == self.at:
            torch.nn.init.constant_(self.networks()["learner"].head.bias, float("inf"))


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("nan", r"epoch 2, step 2: learner's loss is not finite \(loss nan, spread .*lower lr"),
        ("detached", r"epoch 2, step 2: learner's loss has no gradient for learner's weights"),
        ("other", r"epoch 2, step 2: learner's loss has no gradient for learner's weights"),
        ("player", r"unknown player 'learned'; did you mean learner"),
    ],
)
def test_guards_name_step_and_cause_and_leave_the_last_checkpoint(tmp_path, fault, message):
    with pytest.raises(SeedbedError, match=message) as error:
        train(tmp_path, Bad(fault))
    assert "\n" not in str(error.value)
    found = load_checkpoint(tmp_path, "k")
    assert found is not None
    assert (found.epoch, found.index) == (1, 0)
    assert found.is_finite()


def test_weights_that_are_not_finite_are_never_saved(tmp_path):
    """The step that ruins them is an epoch's last, so that no later loss could tell."""
    with pytest.raises(SeedbedError, match="weights are not finite"):
        train(tmp_path, Bad("weights", at=11))
    found = load_checkpoint(tmp_path, "k")
    assert found is not None
    assert found.epoch == 1


class Uneven(Toy):
    def objectives(self, batch, progress):
        yield from list(super().objectives(batch, progress))[:1]
        if batch.labels[0, 0]:
            yield Objective("rival", self.rival(batch.images).sum(), {})


def test_player_of_some_micro_batches_only_is_refused(tmp_path):
    with pytest.raises(SeedbedError, match="objectives of rival beyond its last step, but a step takes 6"):
        train(tmp_path, Uneven(), parameters={"accumulate": 6, "lr": 1e-4})


def test_too_few_batches(tmp_path):
    with pytest.raises(SeedbedError, match="an epoch has 6 batches, too few for one step of 7 x 4 images"):
        train(tmp_path, parameters={"accumulate": 7})


def test_bf16_trains_and_keeps_float32_weights(tmp_path):
    full, _ = train(tmp_path / "a")
    half, history = train(tmp_path / "b", parameters={"precision": "bf16"})
    assert {t.dtype for t in half.state_dict().values()} == {torch.float32, torch.int64}
    assert digest(half.state_dict()) != digest(full.state_dict())
    assert history.rows[0]["learner/loss"] == pytest.approx(0.7, abs=0.3)


def test_keyed_seeds_differ_by_every_part():
    seeds = {keyed_seed(rng, epoch, step) for rng in (0, 1) for epoch in (0, 1) for step in (0, 1)}
    assert len(seeds) == 8
    assert all(0 <= seed < 2**63 for seed in seeds)
