"""An S3 server on this machine, for those who ask for it: `make test-kubernetes`. Elsewhere these tests skip."""

import os

import pytest


@pytest.fixture(scope="session")
def bucket():
    """An empty bucket, and the flags that make it the storage of a study."""
    if "TEST_KUBERNETES" not in os.environ:
        pytest.skip("an S3 server: make test-kubernetes")
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    keys = {"ACCESS_KEY": "access", "SECRET_KEY": "secret"}
    os.environ |= {f"SNAKEMAKE_STORAGE_S3_{name}": key for name, key in keys.items()}
    s3 = boto3.resource(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=keys["ACCESS_KEY"],
        aws_secret_access_key=keys["SECRET_KEY"],
    )
    bucket = s3.create_bucket(Bucket="neon")
    yield bucket, ["--default-storage-prefix", "s3://neon", "--storage-s3-endpoint-url", endpoint]
    server.stop()
