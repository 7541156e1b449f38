use rule sharded as dump_cams with:
    """Dump the multi-scale CAMs of a classifier."""
    input:
        params=SLICE,
        index=index_of,
        classifier=files_of("classifier"),
    output:
        cams=in_node("{shard}.safetensors"),
        sidecar=in_node("{shard}.json"),
    wildcard_constraints:
        node=nodes_of("dump_cams"),


use rule sharded as confident_regions with:
    """Thresholds, then dense CRF: where a CAM can be trusted."""
    input:
        params=SLICE,
        index=index_of,
        cams=files_of("cams"),
        saliency=files_of("saliency"),
    output:
        regions=in_node("{shard}.zip"),
        sidecar=in_node("{shard}.json"),
    wildcard_constraints:
        node=nodes_of("confident_regions"),
