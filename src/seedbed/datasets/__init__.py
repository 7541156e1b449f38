"""Data sets as users have them. Importing this package imports neither torch nor timm."""

from seedbed.datasets.base import Dataset
from seedbed.datasets.declaration import DatasetDeclaration, SplitDeclaration
from seedbed.datasets.table import DATASETS, dataset_options, open_dataset

__all__ = [
    "DATASETS",
    "Dataset",
    "DatasetDeclaration",
    "SplitDeclaration",
    "dataset_options",
    "open_dataset",
]
