use rule sharded as import_cams with:
    """Import others' CAMs from a folder."""
    input:
        params=SLICE,
        index=index_of,
    output:
        cams=in_node("{shard}.safetensors"),
        sidecar=in_node("{shard}.json"),
    wildcard_constraints:
        node=nodes_of("import_cams"),


use rule sharded as import_saliency with:
    """Import others' saliency maps from a folder."""
    input:
        params=SLICE,
        index=index_of,
    output:
        saliency=in_node("{shard}.safetensors"),
        sidecar=in_node("{shard}.json"),
    wildcard_constraints:
        node=nodes_of("import_saliency"),


use rule sharded as import_pseudo_masks with:
    """Import others' pseudo masks from a folder."""
    input:
        params=SLICE,
        index=index_of,
    output:
        masks=in_node("{shard}.zip"),
        sidecar=in_node("{shard}.json"),
    wildcard_constraints:
        node=nodes_of("import_pseudo_masks"),
