# What a job costs, by the class of its stage. `set-resources` of a profile may name a class as it names a rule: that
# holds for every rule of the class, unless the profile names the rule too.
from snakemake.resources import Resources

CLASSES = {
    "training": ["gpu=1", "mem_mb=8000 * attempt", "runtime=1440"],
    "inference": ["gpu=1", "mem_mb=8000 * attempt", "runtime=240"],
    "pixels": ["gpu=0", "mem_mb=3000 * attempt", "runtime=120"],
    "counts": ["gpu=0", "mem_mb=3000 * attempt", "runtime=60"],
}

GIVEN = workflow.resource_settings.overwrite_resources
COSTS = {
    name: {**Resources.parse(own, allow_expressions=True), **GIVEN.get(name, {})}
    for name, own in CLASSES.items()
}
DEFAULTS = Resources.from_mapping(workflow.resource_settings.default_resources or {})


def class_of(wildcards, rulename):
    """The class of a job."""
    return "counts" if rulename == "gather" else stage_of(wildcards).resources


def resource_of(name):
    """Resource function: what the job's class says of a resource, else the profile's default if there is one."""

    def resource(wildcards, rulename, **job):
        costs = {**DEFAULTS, **COSTS[class_of(wildcards, rulename)]}
        found = costs.get(name)
        return found and found.evaluate(wildcards, rulename=rulename, **job).value

    return resource


RESOURCES = {name: resource_of(name) for name in sorted(set().union(*COSTS.values()))}
