use rule sharded as pseudo_masks with:
    """Decide a label for each pixel."""
    input:
        params=SLICE,
        index=index_of,
        cams=files_of("cams"),
    output:
        masks=in_node("{shard}.zip"),
        sidecar=in_node("{shard}.json"),
    wildcard_constraints:
        node=nodes_of("pseudo_masks"),
