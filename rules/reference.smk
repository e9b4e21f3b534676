# The feature extractor, and the statistics of the real images in its space.


if config["features"]["extractor"] == "digits":

    rule extractor:
        input:
            DATA,
        output:
            EXTRACTOR,
        log:
            logs("extractor"),
        benchmark:
            benchmarks("extractor")
        conda:
            ENVIRONMENT
        threads: RUN["job_threads"]
        resources:
            mem_mb=2000,
            runtime=10,
        params:
            width=config["features"]["width"],
            seed=config["features"]["seed"],
        script:
            "../scripts/extractor.py"

else:

    localrules:
        import_extractor,

    rule import_extractor:
        input:
            local_file(config["features"]["weights"]),
        output:
            EXTRACTOR,
        log:
            logs("extractor"),
        benchmark:
            benchmarks("extractor")
        priority: FETCHES
        conda:
            ENVIRONMENT
        resources:
            mem_mb=2000,
            runtime=60,
        params:
            weights=config["features"]["weights"],
            convention=config["features"]["extractor"],
        script:
            "../scripts/import_extractor.py"


rule import_statistics:
    input:
        local_file(config["features"]["reference"]),
    output:
        f"{RESULTS}/reference/published.npz",
    log:
        logs("published"),
    benchmark:
        benchmarks("published")
    priority: FETCHES
    conda:
        ENVIRONMENT
    resources:
        mem_mb=1000,
        runtime=60,
    params:
        source=config["features"]["reference"],
        sha256=config["features"].get("reference_sha256"),
    script:
        "../scripts/import_statistics.py"


rule reference:
    input:
        data=DATA,
        extractor=EXTRACTOR,
        statistics=(
            rules.import_statistics.output[0]
            if config["features"]["reference"]
            else []
        ),
    output:
        REFERENCE,
    log:
        logs("reference"),
    benchmark:
        benchmarks("reference")
    conda:
        ENVIRONMENT
    threads: RUN["job_threads"]
    resources:
        gpu=FEATURE_GPU,
        mem_mb=4000,
        runtime=120,
    params:
        neighbours=config["metrics"]["neighbours"],
    script:
        "../scripts/reference.py"
