# What all rules inherit (`use rule … as … with`). No target requires these two directly: they have no output.
rule whole:
    """What rules that make a whole artifact inherit."""
    log:
        "logs/{dataset}/{recipe}/{axes}/{node}.log",
    benchmark:
        "logs/{dataset}/{recipe}/{axes}/{node}.tsv"
    wildcard_constraints:
        node=nodes_of(),
    conda:
        "../envs/environment.yaml"
    threads: threads_of
    resources:
        **RESOURCES,
    params:
        script=script_of,
        inputs=options_of,
        output=subpath(output[0], parent=True),
    message:
        "{rule} {params.output}"
    shell:
        "python workflow_scripts/{params.script} --params {input.params:q} {params.inputs}"
        " --output {params.output:q} --log {log:q}"


rule sharded:
    """What rules that make one shard of an artifact inherit."""
    log:
        "logs/{dataset}/{recipe}/{axes}/{node}-{shard}.log",
    benchmark:
        "logs/{dataset}/{recipe}/{axes}/{node}-{shard}.tsv"
    wildcard_constraints:
        node=nodes_of(),
    conda:
        "../envs/environment.yaml"
    threads: threads_of
    resources:
        **RESOURCES,
    params:
        script=script_of,
        inputs=options_of,
        output=subpath(output[0], parent=True),
    message:
        "{rule} {params.output} {wildcards.shard}"
    shell:
        "python workflow_scripts/{params.script} --params {input.params:q} {params.inputs}"
        " --output {params.output:q} --shard {wildcards.shard:q} --log {log:q}"
