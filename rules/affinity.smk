# Train an AffinityNet on confident regions.
rule train_affinitynet:
    input:
        params=SLICE,
        index=index_of,
        regions=files_of("regions"),
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
        node=nodes_of("train_affinitynet"),
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
        "train_affinitynet {wildcards.recipe}/{wildcards.axes}/{wildcards.node}"
    shell:
        "python workflow_scripts/train_affinitynet.py --params {input.params} --index {input.index[0]}"
        " --regions {input.regions[0]}"
        " --output {params.folder} --log {log}"


# Spread CAMs by a random walk along AffinityNet's affinities.
rule random_walk:
    input:
        params=SLICE,
        index=index_of,
        cams=files_of("cams"),
        affinitynet=files_of("affinitynet"),
    output:
        refined=in_node("{shard}.safetensors"),
        sidecar=in_node("{shard}.json"),
    log:
        "logs/{dataset}/{recipe}/{axes}/{node}-{shard}.log",
    benchmark:
        "logs/{dataset}/{recipe}/{axes}/{node}-{shard}.tsv"
    wildcard_constraints:
        node=nodes_of("random_walk"),
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=gpu_memory,
        runtime=240,
    params:
        folder=subpath(output.refined, parent=True),
    message:
        "random_walk {wildcards.recipe}/{wildcards.axes}/{wildcards.node} {wildcards.shard}"
    shell:
        "python workflow_scripts/random_walk.py --params {input.params} --index {input.index[0]}"
        " --cams {input.cams[0]}"
        " --affinitynet {input.affinitynet[0]}"
        " --output {params.folder} --shard {wildcards.shard} --log {log}"
