use rule sharded as label_agreement with:
    """Keep the pixels of label maps on which two sources agree."""
    input:
        params=SLICE,
        index=index_of,
        labels=files_of("labels"),
        others=files_of("others"),
    output:
        masks=in_node("{shard}.zip"),
        sidecar=in_node("{shard}.json"),
    wildcard_constraints:
        node=nodes_of("label_agreement"),
