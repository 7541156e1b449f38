use rule whole as judge with:
    """Judge a node on a split: scores, threshold quality."""
    input:
        unpack(judged_by),
        params="results/.params/{dataset}/{recipe}/{axes}/{judge}/{judgement}.json",
        index=index_of,
    output:
        JUDGEMENT,
    log:
        "logs/{dataset}/{recipe}/{axes}/{judge}/{judgement}.log",
    benchmark:
        "logs/{dataset}/{recipe}/{axes}/{judge}/{judgement}.tsv"
    params:
        script=judge_of,
        output=lambda wildcards, output: output[0],
