use rule sharded as superpixel_vote with:
    """Give each superpixel of label maps the label of most of its pixels."""
    input:
        params=SLICE,
        index=index_of,
        labels=files_of("labels"),
    output:
        masks=in_node("{shard}.zip"),
        sidecar=in_node("{shard}.json"),
    wildcard_constraints:
        node=nodes_of("superpixel_vote"),
