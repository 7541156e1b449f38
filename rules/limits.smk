# params.yaml within the limits of our own reader, before Snakemake reads it: a nest of anchors takes gigabytes.
from seedbed.errors import SeedbedError
from seedbed.yaml_files import load_yaml

try:
    load_yaml(Path("params.yaml"))
except SeedbedError as error:
    stop(error)
