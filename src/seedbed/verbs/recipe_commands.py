"""`seedbed recipe show`, `diff` and `list`."""

from cyclopts import App

from seedbed.verbs.params_options import NO_OPTIONS, ParamsOptions

recipe_app = App(name="recipe", help="Show and compare recipes.")


@recipe_app.command
def show(name: str, *, resolved: bool = False, given: ParamsOptions = NO_OPTIONS) -> None:
    """Print a recipe with all that it extends merged in.

    Args:
        name: recipe.
        resolved: with every parameter's value for the configured data set, and the owner of each node.
    """
    from seedbed.verbs.recipe import recipe_text

    workflow = given.workflow()
    print(recipe_text(workflow.book.check(name), workflow.graph() if resolved else None), end="")


@recipe_app.command
def diff(first: str, second: str, *, given: ParamsOptions = NO_OPTIONS) -> None:
    """Print what the second recipe changes against the first, and which nodes they share.

    Args:
        first: recipe.
        second: recipe.
    """
    from seedbed.verbs.recipe import recipe_difference

    print(recipe_difference(given.workflow(), first, second))


@recipe_app.command(name="list")
def list_(*, given: ParamsOptions = NO_OPTIONS) -> None:
    """Print all recipes with their papers."""
    from seedbed.verbs.recipe import recipe_list

    print(recipe_list(given.workflow().book))
