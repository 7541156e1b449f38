# Train a segmentation network on label maps.
rule train_segmenter:
    input:
        params=SLICE,
        index=index_of,
        labels=files_of("labels"),
    output:
        manifest=in_node("manifest.json"),
        model=in_node("model.safetensors"),
        epochs=in_node("epochs.safetensors"),
        history=in_node("history.csv"),
    log:
        "logs/{dataset}/{recipe}/{axes}/{node}.log",
    benchmark:
        "logs/{dataset}/{recipe}/{axes}/{node}.tsv"
    wildcard_constraints:
        node=nodes_of("train_segmenter"),
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=gpu_memory,
        runtime=1440,
    params:
        folder=subpath(output.manifest, parent=True),
    message:
        "train_segmenter {wildcards.recipe}/{wildcards.axes}/{wildcards.node}"
    shell:
        "python workflow_scripts/train_segmenter.py --params {input.params} --index {input.index[0]}"
        " --labels {input.labels[0]}"
        " --output {params.folder} --log {log}"


# Segment images.
rule predict:
    input:
        params=SLICE,
        index=index_of,
        segmenter=files_of("segmenter"),
    output:
        predictions=in_node("{shard}.zip"),
        sidecar=in_node("{shard}.json"),
    log:
        "logs/{dataset}/{recipe}/{axes}/{node}-{shard}.log",
    benchmark:
        "logs/{dataset}/{recipe}/{axes}/{node}-{shard}.tsv"
    wildcard_constraints:
        node=nodes_of("predict"),
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=gpu_memory,
        runtime=240,
    params:
        folder=subpath(output.predictions, parent=True),
    message:
        "predict {wildcards.recipe}/{wildcards.axes}/{wildcards.node} {wildcards.shard}"
    shell:
        "python workflow_scripts/predict.py --params {input.params} --index {input.index[0]}"
        " --segmenter {input.segmenter[0]}"
        " --output {params.folder} --shard {wildcards.shard} --log {log}"
