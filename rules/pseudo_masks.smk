# Decide a label for each pixel.
rule pseudo_masks:
    input:
        params=SLICE,
        index=index_of,
        cams=files_of("cams"),
    output:
        masks=in_node("{shard}.zip"),
        sidecar=in_node("{shard}.json"),
    log:
        "logs/{dataset}/{recipe}/{axes}/{node}-{shard}.log",
    benchmark:
        "logs/{dataset}/{recipe}/{axes}/{node}-{shard}.tsv"
    wildcard_constraints:
        node=nodes_of("pseudo_masks"),
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        gpu=0,
        mem_mb=cpu_memory,
        runtime=120,
    params:
        folder=subpath(output.masks, parent=True),
    message:
        "pseudo_masks {wildcards.recipe}/{wildcards.axes}/{wildcards.node} {wildcards.shard}"
    shell:
        "python workflow_scripts/pseudo_masks.py --params {input.params} --index {input.index[0]}"
        " --cams {input.cams[0]}"
        " --output {params.folder} --shard {wildcards.shard} --log {log}"
