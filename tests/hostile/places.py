"""Where the checkout that is damaged keeps its results."""

NODE = "results/birds/tiny/rng0"
PAIR = f"{NODE}/bg0.10-fg0.40"
