# The rules of the data set in params.yaml have no wildcards, so that `snakemake prepare_dataset` is a target.
use rule whole as prepare_dataset with:
    """Index a data set: image ids, labels, sizes, checksums."""
    input:
        params=GRAPH.index_slice_path,
        data=GRAPH.data_path,
    output:
        manifest=GRAPH.index_folder / "manifest.json",
        index=GRAPH.index_folder / "index.csv",
    log:
        f"logs/{GRAPH.index_key}.log",
    benchmark:
        f"logs/{GRAPH.index_key}.tsv"


use rule whole as prepare_masks with:
    """Index the true masks: their checksums."""
    input:
        params=GRAPH.masks_slice_path,
        data=GRAPH.masks_data_path,
        index=index_files(GRAPH),
    output:
        GRAPH.masks_path,
    log:
        f"logs/{GRAPH.masks_key}.log",
    benchmark:
        f"logs/{GRAPH.masks_key}.tsv"
    params:
        script="prepare_masks.py",
        output=GRAPH.masks_path,


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
