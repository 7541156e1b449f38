use rule whole as report with:
    """Tables, figures and one page of all that was asked for."""
    input:
        params="results/.params/{dataset}/reports/{report}.json",
        index=index_of,
        masks=in_index("masks.csv"),
        results=shown_in,
    output:
        page=in_report(PAGE, "page"),
        tables=[in_report(name, "table") for name in TABLES],
        manifest="results/{dataset}/reports/{report}/manifest.json",
    log:
        "logs/{dataset}/reports/{report}.log",
    benchmark:
        "logs/{dataset}/reports/{report}.tsv"
