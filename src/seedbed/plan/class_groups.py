"""A data set's groups of classes, for the report page: from a YAML file of its own, or from the report's settings.

The groups are in the slice of the report and in no other, so another file, or another group in it, makes the report
stale and no node.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from seedbed.datasets.declaration import expanded
from seedbed.errors import SeedbedError
from seedbed.metrics.class_groups import Groups, check_groups
from seedbed.plan.config import RunConfig
from seedbed.stages.report import STAGE as REPORT
from seedbed.stages.report import ReportParameters
from seedbed.validation import validate_model
from seedbed.yaml_files import load_yaml

KEY = "class_groups"
SHAPE = "{kind: {group: [class, class]}}"


def report_parameters(config: RunConfig, dataset: str) -> ReportParameters:
    """The parameters of a data set's report, with its groups of classes.

    Raises:
        SeedbedError: a setting is wrong; the groups are given twice, cannot be read, or are no groups.
    """
    settings, where = config.stage_defaults(dataset, REPORT.name), f"settings.{dataset}"
    file = config.declaration(dataset).class_groups
    if file is not None:
        if settings.get(KEY) is not None:
            raise SeedbedError(
                f"groups of classes are given twice: remove {where}.{REPORT.name}.{KEY} or datasets.{dataset}.{KEY}"
            )
        settings = settings | {KEY: read_groups(file, f"datasets.{dataset}.{KEY}")}
    parameters = cast("ReportParameters", REPORT.validate(settings, where))
    if file is None and parameters.class_groups is not None:
        _checked(parameters.class_groups, f"{where}.{REPORT.name}.{KEY}")
    return parameters


def read_groups(file: str, key: str) -> Groups:
    """The groups of a file.

    Args:
        file: as it is declared; relative to the folder that commands run in.
        key: of params.yaml, for messages.

    Raises:
        SeedbedError: there is no such file, or it does not hold groups of classes.
    """
    path = Path(expanded(file, key, key))
    if not path.is_file():
        raise SeedbedError(
            f"{key}: there is no file {str(path)[:300]}; give the path of a YAML file of {SHAPE}"
        )
    raw: Any = load_yaml(path)
    if not isinstance(raw, Mapping) or not raw:
        told = "nothing" if not raw else f"a {type(raw).__name__}"
        raise SeedbedError(f"{path}: expected groups of classes, {SHAPE}, got {told}")
    groups = validate_model(ReportParameters, {KEY: raw}, str(path)).class_groups
    assert groups is not None
    return _checked(groups, str(path))


def _checked(groups: Groups, where: str) -> Groups:
    try:
        check_groups(groups)
    except ValueError as error:
        raise SeedbedError(f"{where}: {error}") from None
    return groups
