# params.yaml within the limits of our own reader, before Snakemake reads it: a nest of anchors takes gigabytes.
from pathlib import Path

from snakemake.exceptions import WorkflowError

from seedbed.errors import SeedbedError
from seedbed.yaml_files import load_yaml

try:
    load_yaml(Path("params.yaml"))
except SeedbedError as error:
    raise WorkflowError(str(error)) from None
