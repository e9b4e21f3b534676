# Finished studies on one page, such as one of each family of models. The studies are runs of their own.


rule compare:
    input:
        summaries=[f"results/{study}/summary.json" for study in config["compare"]],
        template=workflow.source_path("../report/studies.html.j2"),
        page=workflow.source_path("../report/page.html.j2"),
    output:
        page="results/compare/report.html",
        csv="results/compare/studies.csv",
        markdown="results/compare/studies.md",
        figure="results/compare/weights.svg",
    log:
        logs("compare", "results/compare"),
    benchmark:
        benchmarks("compare", "results/compare")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=1000,
        runtime=5,
    script:
        "../scripts/compare.py"
