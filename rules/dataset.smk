use rule whole as prepare_dataset with:
    """Index a data set: image ids, labels, sizes, checksums."""
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


use rule whole as gather with:
    """Merge the sidecars of a sharded node's shards into its manifest."""
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
        node=nodes_of(*SHARDED),
    params:
        script="gather.py",
