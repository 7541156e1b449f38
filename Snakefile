# seedbed: image-level labels to pixel masks. What to run: params.yaml. How: recipes/. Where: profiles/.
from snakemake.utils import min_version

min_version("9.27")


include: "rules/checkout.smk"
include: "rules/limits.smk"


configfile: "params.yaml"


report: "report/workflow.rst"


include: "rules/common.smk"
include: "rules/resources.smk"
include: "rules/base.smk"
include: "rules/dataset.smk"
include: "rules/classifier.smk"
include: "rules/cams.smk"
include: "rules/saliency.smk"
include: "rules/affinity.smk"
include: "rules/pseudo_masks.smk"
include: "rules/superpixels.smk"
include: "rules/label_agreement.smk"
include: "rules/segmenter.smk"
include: "rules/import.smk"
include: "rules/evaluate.smk"
include: "rules/report.smk"


localrules:
    gather,


rule all:
    """Each selected recipe at its own regions setting (the default target)."""
    default_target: True
    input:
        results_of("all"),


rule sweep:
    """Each selected recipe at every setting of params.yaml: thresholds."""
    input:
        results_of("sweep"),
