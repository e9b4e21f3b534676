# The feature extractor, and the statistics of the real images in its space.


rule extractor:
    input:
        DATA,
    output:
        EXTRACTOR,
    params:
        width=config["features"]["width"],
        seed=config["features"]["seed"],
    log:
        logs("extractor"),
    benchmark:
        benchmarks("extractor")
    threads: RUN["job_threads"]
    resources:
        mem_mb=2000,
        runtime=10,
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
    threads: RUN["job_threads"]
    resources:
        mem_mb=4000,
        runtime=120,
    script:
        "../scripts/reference.py"
