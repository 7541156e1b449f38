# Dump the multi-scale CAMs of a classifier.
rule dump_cams:
    input:
        params=SLICE,
        index=index_of,
        classifier=files_of("classifier"),
    output:
        cams=in_node("{shard}.safetensors"),
        sidecar=in_node("{shard}.json"),
    log:
        "logs/{dataset}/{recipe}/{axes}/{node}-{shard}.log",
    benchmark:
        "logs/{dataset}/{recipe}/{axes}/{node}-{shard}.tsv"
    wildcard_constraints:
        node=nodes_of("dump_cams"),
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=gpu_memory,
        runtime=240,
    params:
        folder=subpath(output.cams, parent=True),
    message:
        "dump_cams {wildcards.recipe}/{wildcards.axes}/{wildcards.node} {wildcards.shard}"
    shell:
        "python workflow_scripts/dump_cams.py --params {input.params} --index {input.index[0]}"
        " --classifier {input.classifier[0]}"
        " --output {params.folder} --shard {wildcards.shard} --log {log}"


# Thresholds, then dense CRF: where a CAM can be trusted.
rule confident_regions:
    input:
        params=SLICE,
        index=index_of,
        cams=files_of("cams"),
    output:
        regions=in_node("{shard}.zip"),
        sidecar=in_node("{shard}.json"),
    log:
        "logs/{dataset}/{recipe}/{axes}/{node}-{shard}.log",
    benchmark:
        "logs/{dataset}/{recipe}/{axes}/{node}-{shard}.tsv"
    wildcard_constraints:
        node=nodes_of("confident_regions"),
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        gpu=0,
        mem_mb=cpu_memory,
        runtime=120,
    params:
        folder=subpath(output.regions, parent=True),
    message:
        "confident_regions {wildcards.recipe}/{wildcards.axes}/{wildcards.node} {wildcards.shard}"
    shell:
        "python workflow_scripts/confident_regions.py --params {input.params} --index {input.index[0]}"
        " --cams {input.cams[0]}"
        " --output {params.folder} --shard {wildcards.shard} --log {log}"
