use rule whole as train_classifier with:
    """Train a classifier on image-level labels."""
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
        node=nodes_of("train_classifier"),


use rule sharded as classify with:
    """Class probabilities and pooled features of each image."""
    input:
        params=SLICE,
        index=index_of,
        classifier=files_of("classifier"),
    output:
        vectors=in_node("{shard}.safetensors"),
        sidecar=in_node("{shard}.json"),
    wildcard_constraints:
        node=nodes_of("classify"),


use rule whole as subcategories with:
    """Sub-categories of each class, by k-means of pooled features."""
    input:
        params=SLICE,
        index=index_of,
        features=files_of("features"),
    output:
        manifest=in_node("manifest.json"),
        table=in_node("table.csv"),
    wildcard_constraints:
        node=nodes_of("subcategories"),
