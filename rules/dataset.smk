# Index a data set: image ids, labels, sizes, checksums.
rule prepare_dataset:
    input:
        params="results/.params/{dataset}/index.json",
    output:
        manifest=in_index("manifest.json"),
        index=in_index("index.csv"),
        masks=in_index("masks.csv"),
    log:
        "logs/{dataset}/index.log",
    benchmark:
        "logs/{dataset}/index.tsv"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        gpu=0,
        mem_mb=cpu_memory,
        runtime=60,
    params:
        folder=subpath(output.manifest, parent=True),
    message:
        "prepare_dataset {wildcards.dataset}"
    shell:
        "python workflow_scripts/prepare_dataset.py --params {input.params}"
        " --output {params.folder} --log {log}"


# Merge the sidecars of a sharded node's shards into its manifest.
rule gather:
    input:
        params=SLICE,
        shards=shards_of,
    output:
        manifest=in_node("manifest.json"),
    log:
        "logs/{dataset}/{recipe}/{axes}/{node}-gather.log",
    benchmark:
        "logs/{dataset}/{recipe}/{axes}/{node}-gather.tsv"
    wildcard_constraints:
        node="|".join(nodes_of(name) for name, stage in STAGES.items() if stage.sharded),
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        gpu=0,
        mem_mb=cpu_memory,
        runtime=10,
    params:
        folder=subpath(output.manifest, parent=True),
    message:
        "gather {wildcards.recipe}/{wildcards.axes}/{wildcards.node}"
    shell:
        "python workflow_scripts/gather.py --params {input.params} --output {params.folder} --log {log}"
