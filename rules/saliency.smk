use rule whole as train_saliency with:
    """Train a saliency network."""
    input:
        unpack(inputs_of),
        params=SLICE,
        index=index_of,
    output:
        manifest=in_node("manifest.json"),
        model=in_node("model.safetensors"),
        epochs=in_node("epochs.safetensors"),
        history=in_node("history.csv"),
    wildcard_constraints:
        node=nodes_of("train_saliency"),


use rule sharded as dump_saliency with:
    """Dump the multi-scale saliency maps of a saliency network."""
    input:
        params=SLICE,
        index=index_of,
        saliency_network=files_of("saliency_network"),
    output:
        saliency=in_node("{shard}.safetensors"),
        sidecar=in_node("{shard}.json"),
    wildcard_constraints:
        node=nodes_of("dump_saliency"),
