# Configuration files within the limits of our own reader, before Snakemake reads them: a nest of anchors takes gigabytes.
from seedbed.errors import SeedbedError
from seedbed.yaml_files import load_yaml

try:
    for path in (
        *filter(Path.exists, [Path("params.yaml")]),
        *map(Path, workflow.config_settings.configfiles or ()),
    ):
        load_yaml(path)
except SeedbedError as error:
    stop(error)
