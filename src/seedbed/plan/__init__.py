"""What there is to do: the instances of the selected recipes' nodes and their folders.

Both workflow engines, `seedbed plan` and a person with a shell get their commands and paths from here.
"""
