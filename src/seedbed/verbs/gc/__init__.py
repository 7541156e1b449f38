"""`seedbed gc`: what no recipe owns any more, and clearing it away.

Kept is everything that any recipe of recipes/, selected or not, makes at the rngs and thresholds of params.yaml and at
its own regions setting.
"""
