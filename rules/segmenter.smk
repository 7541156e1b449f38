use rule whole as train_segmenter with:
    """Train a segmentation network on label maps."""
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
        node=nodes_of("train_segmenter"),


use rule sharded as predict with:
    """Segment images."""
    input:
        params=SLICE,
        index=index_of,
        segmenter=files_of("segmenter"),
        classification=files_of("classification"),
    output:
        predictions=in_node("{shard}.zip"),
        sidecar=in_node("{shard}.json"),
    wildcard_constraints:
        node=nodes_of("predict"),
