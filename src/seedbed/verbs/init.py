"""`seedbed init`: look at a folder of photographs, and declare it in params.yaml with settings that fit.

Nothing is written before `seedbed doctor` would find no faults, and nothing is ever written into the folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import unified_diff
from pathlib import Path
from typing import Any, NamedTuple

from seedbed.artifacts.atomic import write_bytes
from seedbed.datasets import Dataset, DatasetDeclaration, open_dataset
from seedbed.datasets.files import image_size
from seedbed.engines.run_seconds import human_duration
from seedbed.errors import SeedbedError
from seedbed.names import DATASET
from seedbed.plan.commands import Workflow
from seedbed.plan.config import parse_config
from seedbed.recipes import RecipeBook
from seedbed.runtime.machine import Machine, this_machine
from seedbed.verbs.doctor import Findings, examine
from seedbed.verbs.init_folder import Layout, look, masks_per_split
from seedbed.verbs.init_masks import index_advice
from seedbed.verbs.init_settings import FEWEST, Fitted, Size, fit, split_settings
from seedbed.verbs.params_text import with_dataset
from seedbed.yaml_files import load_yaml


class Initialised(NamedTuple):
    """What to print: what was found, chosen and written, or else the faults because of which nothing was."""

    lines: list[str]
    faults: list[str]


def initialise(
    folder: Path,
    name: str | None = None,
    labels: str | None = None,
    force: bool = False,
    checkout: Path = Path(),
    machine: Machine | None = None,
) -> Initialised:
    """Declare a folder of photographs as a data set.

    Args:
        folder: photographs, and their labels.
        name: of the data set; by default the folder's.
        labels: the CSV in the folder, or `folders`; by default what is there.
        force: replace a data set of that name.
        checkout: folder that contains params.yaml.
        machine: what the settings are to fit; this one by default.

    Raises:
        SeedbedError: nothing can be made of the folder, or the name is taken.
    """
    path = checkout / "params.yaml"
    if not path.exists():
        raise SeedbedError(f"there is no file {path}; run this command in the checkout")
    raw = load_yaml(path) or {}
    known = parse_config(raw, str(path)).datasets
    layout = look(folder, labels)
    folder = folder.resolve()
    if checkout.resolve().is_relative_to(folder):
        raise SeedbedError(f"{folder} contains this checkout; name the folder of the photographs")
    if "$" in str(folder):
        raise SeedbedError(f"{folder}: params.yaml would read the $ as a variable; rename the folder")
    name = _name(folder, name)
    if name in known and not force:
        raise SeedbedError(
            f"{path} declares a data set {name!r} already; choose another --name, or replace it with --force"
        )
    proposal = Proposal(name, folder, layout, machine or this_machine(), raw, checkout)
    found = proposal.examined()
    if found.faults:
        return Initialised([], found.faults)
    text = path.read_bytes().decode("utf-8")
    new = with_dataset(text, name, proposal.declaration, proposal.settings)
    told = [
        *proposal.found(),
        *found.notes,
        "",
        *_chosen(proposal.fitted),
        "",
        str(path),
        *_changes(text, new),
    ]
    told += ["", *_next(proposal)]
    write_bytes(path, new.encode())
    return Initialised(told, [])


def _name(folder: Path, name: str | None) -> str:
    if name is not None:
        if fault := DATASET.fault(name):
            raise SeedbedError(f"--name: {fault}")
        return name
    found = DATASET.proposal(folder.name)
    if not found:
        raise SeedbedError(f"{folder.name!r} cannot be made a data set's name; choose one with --name")
    return found


@dataclass
class Proposal:
    """The declaration and the settings of a folder, with masks as long as there are no faults in them."""

    name: str
    folder: Path
    layout: Layout
    machine: Machine
    raw: dict[str, Any]
    checkout: Path
    declaration: dict[str, Any] = field(init=False)
    settings: dict[str, Any] = field(init=False)
    fitted: Fitted = field(init=False)
    sizes: list[Size] = field(init=False)

    def __post_init__(self) -> None:
        """Open the data set without masks, and choose.

        Raises:
            SeedbedError: labels are not understood, or there are too few photographs to train on.
        """
        self._declare(())
        data = open_dataset(self.name, DatasetDeclaration.model_validate(self.declaration), self.folder)
        if not data.classes:
            raise SeedbedError(data.faults()[0])
        images = {split: _files(data, split) for split in self.layout.splits}
        files = dict.fromkeys(path for paths in images.values() for path in paths)
        self.sizes = [size for path in files if (size := _size(path))]
        trained = len(images["train"])
        if trained < FEWEST or not self.sizes:
            faults = data.faults() or [f"expected at least {FEWEST} photographs to train on, got {trained}"]
            raise SeedbedError(f"{self.folder}: {faults[0]}")
        self.fitted = fit(self.sizes, trained, len(data.classes), self.machine)
        counts = masks_per_split(self.folder, self.layout, images)
        self._declare([split for split, (masked, of) in counts.items() if masked == of])
        if counts:
            said = ", ".join(f"{split} {masked} of {of}" for split, (masked, of) in counts.items())
            used = "they are used for scores only"
            if not any(masked == of for masked, of in counts.values()):
                used = "not used, since no split has a PNG for each photograph"
            self.layout.notes["masks"] = f"{self.layout.masks}: {said}; {used}"

    def examined(self) -> Findings:
        """What `doctor` will say; masks that are at fault are declared away first, with a note."""
        findings = examine(self.workflow(), self.name)
        masked = [split for split, declared in self.declaration["splits"].items() if "masks" not in declared]
        if findings.faults and masked:
            self._declare(())
            without = examine(self.workflow(), self.name)
            if not without.faults:
                self.layout.notes["masks"] = f"{self.layout.masks} is not used: {findings.faults[0]}"
                if advice := self._index_advice(masked):
                    self.layout.notes["mask_indices"] = advice
                return without
            self._declare(masked)
        return findings

    def _index_advice(self, masked: Sequence[str]) -> str:
        self._declare(masked)
        as_stored = {key: value for key, value in self.declaration.items() if key != "longest"}
        declaration = DatasetDeclaration.model_validate(as_stored)
        advice = index_advice(open_dataset(self.name, declaration, self.folder), masked)
        self._declare(())
        return advice

    def workflow(self) -> Workflow:
        """What params.yaml would ask for."""
        config = {
            **self.raw,
            "dataset": self.name,
            "datasets": self.raw["datasets"] | {self.name: self.declaration},
            "settings": (self.raw.get("settings") or {}) | {self.name: self.settings},
        }
        return Workflow(parse_config(config), RecipeBook(self.checkout / "recipes"))

    def found(self) -> list[str]:
        """Lines about the folder and the machine."""
        widest = max(self.sizes, key=lambda size: size[0] * size[1])
        what = f"{len(self.sizes)} photographs, the largest {widest[0]} × {widest[1]}"
        facts = {"folder": f"{self.folder}, {what}"} | self.layout.notes | {"machine": str(self.machine)}
        return [f"{key}: {value}" for key, value in facts.items()]

    def _declare(self, masked: Sequence[str]) -> None:
        splits = {s: d | ({} if s in masked else {"masks": False}) for s, d in self.layout.splits.items()}
        options = self.layout.options | ({"masks": self.layout.masks} if self.layout.masks else {})
        self.declaration = {"kind": "folder", "root": _root(self.folder), "splits": splits}
        if options:
            self.declaration["with"] = options
        if hasattr(self, "fitted"):
            self.declaration |= {"shards": self.fitted.shards} if self.fitted.shards > 1 else {}
            self.declaration |= {"longest": self.fitted.longest} if self.fitted.longest else {}
            self.settings = split_settings(self.fitted.settings, list(self.layout.splits))


def _root(folder: Path) -> str:
    """The folder as params.yaml names it: below the home folder with ~."""
    home = Path.home()
    if folder != home and folder.is_relative_to(home) and home != Path("/"):
        return f"~/{folder.relative_to(home).as_posix()}"
    return str(folder)


def _files(data: Dataset, split: str) -> list[Path]:
    """Files of a split's photographs; those that are missing are left to `doctor`."""
    files = []
    for image_id in data.image_ids(split):
        try:
            source = data.source(image_id)
        except SeedbedError:
            continue
        files += [source] if source is not None else []
    return files


def _size(path: Path) -> Size | None:
    """Width and height; None for a file that is not readable, which is left to `doctor`."""
    try:
        return image_size(path)
    except SeedbedError:
        return None


def _chosen(fitted: Fitted) -> list[str]:
    width = max(len(what) for what, _ in fitted.reasons)
    return [f"{what.ljust(width)}  {why}" for what, why in fitted.reasons]


def _changes(old: str, new: str) -> list[str]:
    """Lines that are gone and lines that are new, below the keys of the file that they are in."""
    lines = list(unified_diff(old.splitlines(), new.splitlines(), n=len(new), lineterm=""))[3:]
    changes: list[str] = []
    key = ""
    for line in lines:
        if line.startswith(" "):
            key = line if line[1:2].isalpha() else key
            continue
        changes += [key] if key and not line[1:2].isalpha() else []
        changes.append(line)
        key = ""
    return changes


def _next(proposal: Proposal) -> list[str]:
    """The commands to type next."""
    workflow, minutes = proposal.workflow(), proposal.fitted.minutes
    time = (
        f"about {human_duration(60 * minutes)} of one core for psa, an estimate, and seconds to start each job"
        if minutes
        else "no estimate with a GPU yet"
    )
    gpus = f" --resources gpu={proposal.machine.gpus}" if proposal.machine.gpus > 1 else ""
    recipe = workflow.config.recipes[0]
    nodes = {node.stage.name: name for name, node in workflow.book.check(recipe).nodes.items() if node.stage}
    commands = [("seedbed doctor", "checks the data again, whenever it changes"), (f"snakemake{gpus}", time)]
    masks = nodes.get("predict") or nodes.get("pseudo_masks")
    if masks:
        commands.append((f"seedbed export {recipe}.{masks} --out masks", "one PNG per photograph"))
    width = max(len(command) for command, _ in commands)
    return ["next:", *(f"  {command.ljust(width)}  # {what}" for command, what in commands)]
