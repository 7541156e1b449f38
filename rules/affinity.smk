use rule whole as train_affinitynet with:
    """Train an AffinityNet on confident regions."""
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
        node=nodes_of("train_affinitynet"),


use rule sharded as random_walk with:
    """Spread CAMs by a random walk along AffinityNet's affinities."""
    input:
        params=SLICE,
        index=index_of,
        cams=files_of("cams"),
        affinitynet=files_of("affinitynet"),
    output:
        refined=in_node("{shard}.safetensors"),
        sidecar=in_node("{shard}.json"),
    wildcard_constraints:
        node=nodes_of("random_walk"),
