"""What there is to do: the instances of the selected recipes' nodes, where they lie, and what state they are in.

Both workflow engines, `seedbed plan` and a person with a shell get their commands and paths from here.
"""
