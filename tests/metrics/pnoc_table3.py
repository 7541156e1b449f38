"""P-NOC, Table 3, as printed: IoU of classes in per cent, their properties, means of groups, and correlations."""

IOU = {
    "CAM": """
    81.0 47.5 32.2 49.5 40.8 49.0 72.1 62.6 54.8 30.7 55.1 52.5 61.3 55.9 67.8 63.6 46.8 55.3 50.0 63.9 38.6
    """,
    "OC-CSE": """
    82.2 53.6 34.7 51.5 35.4 60.8 65.9 63.3 78.4 24.0 68.2 46.3 61.2 68.9 68.3 63.8 42.5 75.0 45.3 45.5 41.5
    """,
    "Puzzle-CAM": """
    86.0 61.4 38.6 71.4 51.3 56.0 78.4 70.4 83.7 27.2 73.6 39.2 80.8 69.0 73.2 50.3 56.3 75.9 35.5 68.2 33.8
    """,
    "P-OC+LS": """
    85.6 62.3 45.0 62.8 43.9 65.9 75.1 74.6 79.8 23.1 70.6 51.0 76.9 69.8 76.6 70.2 57.2 73.9 34.8 50.9 49.8
    """,
    "P-NOC+LS": """
    86.8 58.2 42.8 71.8 49.5 64.5 80.6 74.4 83.6 28.9 69.0 52.2 79.5 70.3 75.9 70.2 56.1 73.6 43.6 68.0 37.2
    """,
}
"""Background and the 20 classes in VOC's order; seeds on VOC 2012 train."""

PROPERTIES = {
    "occurrence": """88 65 105 78 87 78 128 131 148 64 82 121 68 81 442 82 63 93 83 84""",
    "size": """
    11.8 6.4 11.8 10.8 9.5 31.5 15.5 28.6 10.6 18.0 22.5 19.8 19.1 19.6 15.2 11.2 19.7 21.6 26.6 15.5
    """,
    "co_occurrence": """
    9.1 76.9 11.4 32.1 70.1 51.3 61.7 26.0 87.8 29.7 95.1 38.0 47.1 56.8 83.0 63.4 19.0 80.6 20.5 65.1
    """,
    "cardinality": """1.1 2.2 1.2 1.4 2.3 1.7 1.9 1.3 2.4 1.4 2.6 1.5 1.6 1.7 2.1 2.1 1.3 2.4 1.2 2.1""",
}
"""O, %S, %C and L of the 20 classes."""

MEANS = {
    "CAM": {
        "size": {"small": 42.4, "mid": 55.0, "large": 59.3},
        "occurrence": {"low": 51.9, "mid": 52.0, "high": 53.8},
        "group": {"singleton": 52.4, "person": 63.6, "animal": 58.6, "room": 44.6, "traffic": 58.7},
    },
    "OC-CSE": {
        "size": {"small": 43.2, "mid": 59.2, "large": 61.6},
        "occurrence": {"low": 58.0, "mid": 50.5, "high": 57.0},
        "group": {"singleton": 58.2, "person": 63.8, "animal": 65.0, "room": 43.4, "traffic": 58.0},
    },
    "Puzzle-CAM": {
        "size": {"small": 51.7, "mid": 57.0, "large": 67.1},
        "occurrence": {"low": 64.5, "mid": 52.9, "high": 64.0},
        "group": {"singleton": 69.3, "person": 50.3, "animal": 74.9, "room": 41.3, "traffic": 65.1},
    },
    "P-OC+LS": {
        "size": {"small": 51.5, "mid": 66.3, "large": 65.4},
        "occurrence": {"low": 63.0, "mid": 56.1, "high": 64.6},
        "group": {"singleton": 63.5, "person": 70.2, "animal": 73.3, "room": 47.0, "traffic": 67.8},
    },
    "P-NOC+LS": {
        "size": {"small": 53.1, "mid": 62.7, "large": 69.7},
        "occurrence": {"low": 64.3, "mid": 57.0, "high": 68.1},
        "group": {"singleton": 67.7, "person": 70.2, "animal": 74.9, "room": 47.1, "traffic": 68.4},
    },
}

OVERALL = {
    "CAM": (53.9, 11.2),
    "OC-CSE": (56.0, 14.9),
    "Puzzle-CAM": (61.0, 17.4),
    "P-OC+LS": (61.9, 15.7),
    "P-NOC+LS": (63.7, 15.6),
}
"""Mean over 21, sample standard deviation over 20."""

CORRELATIONS = {
    "CAM": {"occurrence": 19.9, "size": 70.3, "co_occurrence": -22.9, "cardinality": -32.9},
    "OC-CSE": {"occurrence": 10.4, "size": 51.5, "co_occurrence": -38.4, "cardinality": -44.5},
    "Puzzle-CAM": {"occurrence": -12.8, "size": 48.4, "co_occurrence": -71.0, "cardinality": -75.8},
    "P-OC+LS": {"occurrence": 10.7, "size": 38.3, "co_occurrence": -42.9, "cardinality": -49.7},
    "P-NOC+LS": {"occurrence": 10.7, "size": 53.1, "co_occurrence": -51.4, "cardinality": -58.2},
}

BETWEEN_PROPERTIES = {
    "occurrence": {"occurrence": 100.0, "size": -6.5, "co_occurrence": 30.0, "cardinality": 20.4},
    "size": {"occurrence": -6.5, "size": 100.0, "co_occurrence": -18.0, "cardinality": -23.4},
    "co_occurrence": {"occurrence": 30.0, "size": -18.0, "co_occurrence": 100.0, "cardinality": 97.6},
    "cardinality": {"occurrence": 20.4, "size": -23.4, "co_occurrence": 97.6, "cardinality": 100.0},
}
