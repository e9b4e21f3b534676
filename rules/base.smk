# The real images and θ_r.


rule data:
    output:
        DATA,
    params:
        data=config["data"],
    log:
        logs("data"),
    benchmark:
        benchmarks("data")
    resources:
        mem_mb=1000,
        runtime=10,
    script:
        "../scripts/data.py"


rule base:
    input:
        DATA,
    output:
        model=BASE,
        losses=f"{RESULTS}/base/losses.csv",
    params:
        architecture=config["base"]["architecture"],
        training=config["base"]["training"],
    log:
        logs("base"),
    benchmark:
        benchmarks("base")
    threads: RUN["training_threads"]
    resources:
        mem_mb=4000,
        runtime=720,
    script:
        "../scripts/base.py"
