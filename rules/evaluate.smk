# Score a node on a split.
rule evaluate:
    input:
        params="results/.params/{dataset}/{recipe}/{axes}/scores/{node}-{split}.json",
        index=index_of,
        masks=in_index("masks.csv"),
        target=judged_files("scores", "target"),
    output:
        in_axes("scores/{node}-{split}.json"),
    log:
        "logs/{dataset}/{recipe}/{axes}/scores/{node}-{split}.log",
    benchmark:
        "logs/{dataset}/{recipe}/{axes}/scores/{node}-{split}.tsv"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        gpu=0,
        mem_mb=cpu_memory,
        runtime=60,
    message:
        "evaluate {wildcards.recipe}/{wildcards.axes}/{wildcards.node} on {wildcards.split}"
    shell:
        "python workflow_scripts/evaluate.py --params {input.params} --index {input.index[0]}"
        " --target {input.target[0]}"
        " --output {output} --log {log}"


# NPR, PQS and TECM: of one pair of thresholds, or of all on the refined CAMs of one setting (`-shared`).
rule threshold_quality:
    input:
        params="results/.params/{dataset}/{recipe}/{axes}/thresholds/{node}-{split}{form}.json",
        index=index_of,
        masks=in_index("masks.csv"),
        cams=judged_files("thresholds", "cams"),
        refined=judged_files("thresholds", "refined"),
    output:
        in_axes("thresholds/{node}-{split}{form}.json"),
    log:
        "logs/{dataset}/{recipe}/{axes}/thresholds/{node}-{split}{form}.log",
    benchmark:
        "logs/{dataset}/{recipe}/{axes}/thresholds/{node}-{split}{form}.tsv"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        gpu=0,
        mem_mb=cpu_memory,
        runtime=60,
    message:
        "threshold_quality {wildcards.recipe}/{wildcards.axes}/{wildcards.node} on {wildcards.split}{wildcards.form}"
    shell:
        "python workflow_scripts/threshold_quality.py --params {input.params} --index {input.index[0]}"
        " --cams {input.cams[0]}"
        " --refined {input.refined[0]}"
        " --output {output} --log {log}"
