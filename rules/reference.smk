# The feature extractor, and the statistics of the real images in its space.


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


rule reference:
    input:
        data=DATA,
        extractor=EXTRACTOR,
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
        mem_mb=4000,
        runtime=120,
    params:
        neighbours=config["metrics"]["neighbours"],
    script:
        "../scripts/reference.py"
