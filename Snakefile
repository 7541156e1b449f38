# seedbed: image-level labels to pixel masks. What to run: params.yaml. How: recipes/. Where: profiles/.
from snakemake.utils import min_version

min_version("9.27")


configfile: "params.yaml"


report: "report/workflow.rst"


include: "rules/common.smk"
include: "rules/dataset.smk"
include: "rules/classifier.smk"
include: "rules/cams.smk"
include: "rules/affinity.smk"
include: "rules/pseudo_masks.smk"
include: "rules/segmenter.smk"
include: "rules/evaluate.smk"
include: "rules/report.smk"


# Each selected recipe at its own regions setting.
rule all:
    default_target: True
    input:
        results_of("all"),


# Each selected recipe at every setting of params.yaml: thresholds.
rule sweep:
    input:
        results_of("sweep"),
