"""What a command line puts over params.yaml; Snakemake's own merging and parsing are the oracle."""

import copy
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from snakemake.cli import parse_config as parse_values
from snakemake.utils import update_config

from recipe_files import CONFIG
from seedbed.errors import SeedbedError
from seedbed.plan.config import parse_config, read_config
from seedbed.plan.overrides import Overrides, assigned, merged

PARAMS = CONFIG | {
    "rngs": [0, 1],
    "settings": {"toy": {"train_classifier": {"epochs": 3, "augmentation": {"crop": 64, "flip": 0}}}},
}
FILES = (
    {"rngs": [2], "settings": {"toy": {"train_classifier": {"augmentation": {"crop": 32}}}}},
    {
        "rngs": [3, 4],
        "settings": {"toy": {"dump_cams": {"scales": [1.0]}, "train_classifier": {"epochs": 5}}},
    },
)
VALUES = (
    "recipes=[base, unet]",
    "thresholds=bg0.10-fg0.40,bg0.2-fg0.5",
    "settings={toy: {train_classifier: {epochs: 7}, evaluate: {curve_step: 0.05}}}",
    "datasets={toy: {shards: 3, splits: {val: {masks: false}}}}",
)


@pytest.fixture
def params(tmp_path: Path) -> Path:
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(PARAMS))
    for number, content in enumerate(FILES):
        (tmp_path / f"{number}.yaml").write_text(yaml.safe_dump(content))
    return tmp_path / "params.yaml"


def typed(value: Any) -> Any:
    """Snakemake reads what stands inside lists and mappings as text."""
    if isinstance(value, dict):
        return {key: typed(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [typed(inner) for inner in value]
    return yaml.safe_load(value) if isinstance(value, str) else value


@pytest.mark.parametrize("files", [(), (0,), (1,), (0, 1), (1, 0)])
@pytest.mark.parametrize("values", [(), VALUES[:1], VALUES])
def test_the_merge_is_snakemakes(params: Path, files: tuple[int, ...], values: tuple[str, ...]) -> None:
    expected: dict[str, Any] = copy.deepcopy(PARAMS)
    for number in files:
        update_config(expected, copy.deepcopy(FILES[number]))
    update_config(expected, typed(parse_values(list(values))))
    paths = tuple(params.with_name(f"{number}.yaml") for number in files)
    assert read_config(params, Overrides(paths, values)) == parse_config(expected)


def test_dotted_keys_and_yaml_values() -> None:
    assert assigned("settings.toy.train_classifier.epochs=3") == {
        "settings": {"toy": {"train_classifier": {"epochs": 3}}}
    }
    assert assigned("a=b=c") == {"a": "b=c"}
    assert assigned("a=") == {"a": None}
    assert merged(map(assigned, ["a.b=1", "a.c=[x, 2.5, true]", "a.b=null"])) == {
        "a": {"b": None, "c": ["x", 2.5, True]}
    }


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["rngs"], r"expected KEY=VALUE, for instance rngs=\[0,1\] or dataset=voc, got 'rngs'"),
        (["settings..x=1"], "expected KEY=VALUE"),
        (["=1"], "expected KEY=VALUE"),
        (["rngs=[0"], "value of rngs, line 1, column 3: not YAML"),
        (
            ["recipe=[base]"],
            r"params.yaml with --set recipe=\[base\]: unknown key 'recipe'; did you mean recipes",
        ),
        (["datasets.toy.shard=2"], "datasets.toy: unknown key 'shard'; did you mean shards"),
        (["dataset=tyo"], "unknown dataset 'tyo'; did you mean toy"),
        (["recipes=[3]"], "recipes: expected names of recipes, such as psa, got 3"),
        (["recipes=3"], "recipes: expected names of recipes, such as psa, got 3"),
    ],
)
def test_mistakes_are_one_line(params: Path, values: list[str], message: str) -> None:
    with pytest.raises(SeedbedError, match=message) as caught:
        read_config(params, Overrides((), tuple(values)))
    assert "\n" not in str(caught.value)


def test_files_replace_a_missing_params_yaml_and_must_be_mappings(tmp_path: Path) -> None:
    (tmp_path / "whole.yaml").write_text(yaml.safe_dump(CONFIG))
    (tmp_path / "list.yaml").write_text("[1]")
    missing = tmp_path / "params.yaml"
    assert read_config(missing, Overrides((tmp_path / "whole.yaml",))) == parse_config(CONFIG)
    with pytest.raises(SeedbedError, match=r"list.yaml: expected a mapping of keys, got list"):
        read_config(missing, Overrides((tmp_path / "list.yaml",)))
    with pytest.raises(SeedbedError, match=r"there is no file .*nowhere\.yaml"):
        read_config(missing, Overrides((tmp_path / "nowhere.yaml",)))
    with pytest.raises(SeedbedError, match=r"there is no file .*params\.yaml"):
        read_config(missing)


@pytest.mark.parametrize(
    "values", [(), ("rngs=[0, 1]",), ("settings.toy.dump_cams.scales=[1.0]", "dataset=toy")]
)
def test_the_named_command_means_the_same(params: Path, values: tuple[str, ...]) -> None:
    given = Overrides((params.with_name("0.yaml"),), values)
    command = shlex.split(given.snakemake("all", recipes=["it's"]))
    assert command[:4] == ["snakemake", "all", "--configfile", str(params.with_name("0.yaml"))]
    assert typed(parse_values(command[5:])) == merged([*map(assigned, values), {"recipes": ["it's"]}])
    assert Overrides().snakemake() == "snakemake"
