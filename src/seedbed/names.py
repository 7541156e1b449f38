"""Names that become parts of paths and of commands: those of data sets, recipes, nodes and splits.

Each kind has one pattern. It leaves out whatever a shell, a file system or the naming of files
(`<node>-<split>.json`, `<split>-<shard>.zip`, `recipe.node`) would read as something else.
"""

import re
import unicodedata
from typing import NamedTuple

LONGEST = 64
"""Characters of a name: two names and a number still fit into one file name of 255 bytes."""


class NameKind(NamedTuple):
    """A kind of thing that has a name.

    Attributes:
        what: the kind, in words.
        first: characters that a name may begin with, as in a regular expression.
        others: characters that may follow.
        joint: one of these that stands for whatever is not allowed in a proposal.
        reserved: names that mean something else in the same place.
    """

    what: str
    first: str
    others: str
    joint: str
    reserved: tuple[str, ...] = ()

    @property
    def pattern(self) -> str:
        """Regular expression of a whole name."""
        return f"[{self.first}][{self.others}]{{0,{LONGEST - 1}}}"

    @property
    def schema(self) -> dict[str, str]:
        """JSON schema of a name."""
        return {"type": "string", "pattern": f"^{self.pattern}$"}

    def fault(self, name: str) -> str:
        """What is wrong with a name, with the pattern and a valid spelling, in one line; empty if nothing is."""
        if name in self.reserved:
            return f"{self.what} name {name!r} has a meaning of its own; choose another name"
        if re.fullmatch(self.pattern, name):
            return ""
        shown = name if len(name) <= LONGEST else f"{name[: LONGEST // 2]}…"
        proposal = self.proposal(name)
        advice = f"for instance {proposal}" if proposal else "choose another name"
        return f"{self.what} name {shown!r} does not match {self.pattern}; {advice}"

    def checked(self, name: str) -> str:
        """The name, as a validator of pydantic models.

        Raises:
            ValueError: with `fault`.
        """
        if fault := self.fault(name):
            raise ValueError(fault)
        return name

    def proposal(self, name: str) -> str:
        """The nearest valid name; empty if nothing of the name can be kept."""
        plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
        plain = plain if "A-Z" in self.others else plain.lower()
        kept = re.sub(f"[^{self.others}]+", self.joint, plain)[:LONGEST].strip("-_")
        if kept and not re.match(f"[{self.first}]", kept):
            kept = f"{self.what}{self.joint}{kept}"[:LONGEST]
        return "" if not kept or self.fault(kept) else kept


DATASET = NameKind("data set", "A-Za-z0-9", "A-Za-z0-9_-", "-")
RECIPE = NameKind("recipe", "a-z", "a-z0-9-", "-", ("index", "reports"))
NODE = NameKind("node", "a-z", "a-z0-9_", "_", ("masks",))
SPLIT = NameKind("split", "A-Za-z0-9", "A-Za-z0-9_", "_")
