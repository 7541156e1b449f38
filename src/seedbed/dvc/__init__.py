"""The second engine: dvc.yaml from the same plan that Snakemake follows, and handing DVC what Snakemake made."""
