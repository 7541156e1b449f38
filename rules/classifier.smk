# Train a classifier on image-level labels.
rule train_classifier:
    input:
        params=SLICE,
        index=index_of,
        ordinary_classifier=files_of("ordinary_classifier"),
    output:
        manifest=in_node("manifest.json"),
        model=in_node("model.safetensors"),
        epochs=in_node("epochs.safetensors"),
        history=in_node("history.csv"),
        probabilities=in_node("probabilities.safetensors"),
    log:
        "logs/{dataset}/{recipe}/{axes}/{node}.log",
    benchmark:
        "logs/{dataset}/{recipe}/{axes}/{node}.tsv"
    wildcard_constraints:
        node=nodes_of("train_classifier"),
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=gpu_memory,
        runtime=1440,
    params:
        folder=subpath(output.manifest, parent=True),
        # Nothing where the node has no such input.
        ordinary_classifier=lambda wildcards, input: [
            f"--ordinary-classifier {manifest}"
            for manifest in input.ordinary_classifier[:1]
        ],
    message:
        "train_classifier {wildcards.recipe}/{wildcards.axes}/{wildcards.node}"
    shell:
        "python workflow_scripts/train_classifier.py --params {input.params} --index {input.index[0]}"
        " {params.ordinary_classifier}"
        " --output {params.folder} --log {log}"
