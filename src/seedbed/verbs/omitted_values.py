"""Options whose value may be left out, which Cyclopts cannot express: `seedbed plan --graph`."""

MAY_STAND_ALONE = {"--graph": "mermaid"}
"""Each option with the value that is meant where none is given."""


def with_omitted_values(words: list[str]) -> list[str]:
    """A command line with the values that were left out.

    Args:
        words: of the command line, after `seedbed`.
    """
    return [
        f"{word}={MAY_STAND_ALONE[word]}"
        if word in MAY_STAND_ALONE and (not after or after.startswith("-"))
        else word
        for word, after in zip(words, [*words[1:], ""], strict=True)
    ]
