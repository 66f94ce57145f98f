"""Becomes the tracking server: reads the secrets from their files and sees to the bucket first.

Secrets go into the environment of the server, never onto its command line, which everyone on the host can read.
"""

import json
import os
import sys
import time
from urllib.parse import quote

import boto3
from botocore.exceptions import BotoCoreError, ClientError

BUCKET_PATIENCE_SECONDS = 60


def read(variable):
    path = os.environ.get(variable, "")
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().strip()
    except OSError as error:
        sys.exit(f"{variable}={path}: cannot be read: {error.strerror}; expected a file with the secret")


def take_identity():
    """The first identity of the store's own file, for the client of the store."""
    text = read("S3_IDENTITIES_FILE")
    try:
        credentials = json.loads(text)["identities"][0]["credentials"][0]
        os.environ["AWS_ACCESS_KEY_ID"] = credentials["accessKey"]
        os.environ["AWS_SECRET_ACCESS_KEY"] = credentials["secretKey"]
    except (ValueError, KeyError, IndexError, TypeError) as error:
        sys.exit(f"S3_IDENTITIES_FILE: expected identities[0].credentials[0] with accessKey and secretKey: {error!r}")
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")


def ensure_bucket(name):
    store = boto3.client("s3", endpoint_url=os.environ["MLFLOW_S3_ENDPOINT_URL"])
    end = time.monotonic() + BUCKET_PATIENCE_SECONDS
    while True:
        try:
            if name not in [bucket["Name"] for bucket in store.list_buckets()["Buckets"]]:
                store.create_bucket(Bucket=name)
            return
        except (BotoCoreError, ClientError) as error:
            if time.monotonic() > end:
                sys.exit(f"bucket {name} at {os.environ['MLFLOW_S3_ENDPOINT_URL']}: {error}")
            time.sleep(1)


def main():
    user, separator, place = os.environ.get("MLFLOW_DB", "").partition("@")
    if separator == "" or place == "":
        sys.exit("MLFLOW_DB: expected USER@HOST:PORT/DATABASE")
    bucket = os.environ.get("MLFLOW_BUCKET", "")
    if bucket == "":
        sys.exit("MLFLOW_BUCKET: expected the name of the bucket for artifacts")
    password = quote(read("MLFLOW_DB_PASSWORD_FILE"), safe="")
    take_identity()
    ensure_bucket(bucket)
    os.environ["MLFLOW_BACKEND_STORE_URI"] = f"postgresql://{user}:{password}@{place}"
    command = ["mlflow", "server", "--host", "0.0.0.0", "--port", "5000", "--workers", "2"]
    # Clients fetch artifacts through the server: they need no credentials of the store.
    command += ["--serve-artifacts", "--artifacts-destination", f"s3://{bucket}"]
    os.execvp(command[0], command)


main()
