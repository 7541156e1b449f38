# Tables, figures and one page of all that was asked for.
rule report:
    input:
        params="results/.params/{dataset}/reports/{report}.json",
        index=index_of,
        masks=in_index("masks.csv"),
        results=report_inputs,
    output:
        page=report(
            "results/{dataset}/reports/{report}/index.html",
            caption="../report/page.rst",
            category="{report}",
        ),
        tables=report(
            expand(
                "results/{{dataset}}/reports/{{report}}/{table}.csv",
                table=[
                    "scores",
                    "per_class",
                    "thresholds",
                    "correlations",
                    "thresholds_shared",
                    "form_agreement",
                ],
            ),
            caption="../report/table.rst",
            category="{report}",
        ),
        manifest="results/{dataset}/reports/{report}/manifest.json",
    log:
        "logs/{dataset}/reports/{report}.log",
    benchmark:
        "logs/{dataset}/reports/{report}.tsv"
    wildcard_constraints:
        report="all|sweep",
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        gpu=0,
        mem_mb=cpu_memory,
        runtime=30,
    params:
        folder=subpath(output.page, parent=True),
    message:
        "report {wildcards.report} of {wildcards.dataset}"
    shell:
        "python workflow_scripts/report.py --params {input.params} --index {input.index[0]}"
        " --output {params.folder} --log {log}"
