"""Compiled loops over pixels, imported only by the functions that run them: scores stay quick to import.

`no_type_check` keeps the type checker of the tests out of what numba compiles; the callers check.
"""

from typing import no_type_check

import numpy as np
from numba import njit


@njit(cache=True)
@no_type_check
def count_pairs(rows, columns, row_offset, column_offset, size):
    """Histogram of `row_offset[rows] + column_offset[columns]`.

    Neighbours mostly fall into one cell; four tables in turn spare the wait for that cell's last write.

    Args:
        rows, columns: uint8 of n pixels.
        row_offset, column_offset: int64 of 256 entries.
        size: number of cells.

    Returns:
        int64 of `size` cells.
    """
    tables = np.zeros((4, size), np.int64)
    n = rows.size
    for i in range(0, n - 3, 4):
        tables[0, row_offset[rows[i]] + column_offset[columns[i]]] += 1
        tables[1, row_offset[rows[i + 1]] + column_offset[columns[i + 1]]] += 1
        tables[2, row_offset[rows[i + 2]] + column_offset[columns[i + 2]]] += 1
        tables[3, row_offset[rows[i + 3]] + column_offset[columns[i + 3]]] += 1
    for i in range(n - n % 4, n):
        tables[0, row_offset[rows[i]] + column_offset[columns[i]]] += 1
    return tables[0] + tables[1] + tables[2] + tables[3]
