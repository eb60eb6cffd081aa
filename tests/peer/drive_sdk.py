"""Calls every REST method of the Python SDK and prints the results as JSON.

Usage: drive_sdk.py URL_OF_BYTES URL_OF_REDIRECT API_KEY. Both servers have equal data; the first one
responds to a request for an archive with its bytes, the second one with a redirect.

Each method is called as in the API reference, `rest_client.method(...).result()`, and as
`await rest_client.method_async(...)`. Times are printed in milliseconds since 1970, archives as
their SHA-256, errors as their class and status.

The SDK is unchanged, except that shims/ replaces numpy. Its parser supports only paths of the form
hpcai://RUN/training/ID and hpcai://RUN/sampler/ID.
"""

import asyncio
import hashlib
import json
import logging
import sys
from datetime import datetime, timedelta, timezone

import hpcai
from hpcai._models import BaseModel
from hpcai.lib.public_interfaces.rest_client import RestClient

RUN = "eb78693b-380d-40f8-a709-ffe0da185718"
PATH = f"hpcai://{RUN}/training/final"
SAMPLER_PATH = f"hpcai://{RUN}/sampler/step_0010-sampler"

READING = {
    "list_training_runs": [((), {}), ((), {"limit": 5, "offset": 2}), ((), {"offset": 500})],
    "get_training_run": [((RUN,), {}), (("missing",), {})],
    "get_training_run_by_checkpoint_path": [((PATH,), {}), ((SAMPLER_PATH,), {})],
    "list_checkpoints": [((RUN,), {}), (("missing",), {})],
}
DOWNLOADING = {
    "download_checkpoint_archive": [((RUN, "step_0010"), {}), ((RUN, "none"), {})],
    "download_checkpoint_archive_by_checkpoint_path": [((PATH,), {}), ((SAMPLER_PATH,), {})],
}


def plain(value):
    if isinstance(value, BaseModel):
        # Only the declared fields, because the client keeps no others.
        return {name: plain(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, datetime):
        return (value - datetime.fromtimestamp(0, timezone.utc)) // timedelta(milliseconds=1)
    if isinstance(value, bytes):
        return {"bytes": len(value), "sha256": hashlib.sha256(value).hexdigest()}
    return value


def outcome(call):
    try:
        return plain(call())
    except hpcai.APIStatusError as error:
        return {"error": type(error).__name__, "status": error.status_code}


def call_both_ways(client, method, *args, **kwargs):
    async def call_async():
        return await getattr(client, f"{method}_async")(*args, **kwargs)

    return {
        method: outcome(lambda: getattr(client, method)(*args, **kwargs).result()),
        f"{method}_async": outcome(lambda: asyncio.run(call_async())),
    }


def call_all(client, methods):
    results = {}
    for method, calls in methods.items():
        for args, kwargs in calls:
            for name, value in call_both_ways(client, method, *args, **kwargs).items():
                results.setdefault(name, []).append(value)
    return results


def delete_all(client):
    """Deletes with each method, one checkpoint twice, and lists the remaining checkpoints."""

    async def delete_async():
        await client.delete_checkpoint_async(RUN, "step_0010-sampler")

    async def delete_by_path_async():
        await client.delete_checkpoint_by_checkpoint_path_async(PATH)

    return {
        "delete_checkpoint": [
            outcome(lambda: client.delete_checkpoint(RUN, "step_0010").result()),
            outcome(lambda: client.delete_checkpoint(RUN, "step_0010").result()),
        ],
        "delete_checkpoint_async": [outcome(lambda: asyncio.run(delete_async()))],
        "delete_checkpoint_by_checkpoint_path": [
            outcome(
                lambda: client.delete_checkpoint_by_checkpoint_path(
                    f"hpcai://{RUN}/training/step_0020"
                ).result()
            )
        ],
        "delete_checkpoint_by_checkpoint_path_async": [
            outcome(lambda: asyncio.run(delete_by_path_async()))
        ],
        "remaining checkpoints": [outcome(lambda: client.list_checkpoints(RUN).result())],
    }


def main(bytes_url, redirect_url, api_key):
    logging.disable()  # keep standard error for failures of this program

    def rest_client(url, key=api_key):
        return hpcai.ServiceClient(base_url=url, api_key=key).create_rest_client()

    client = rest_client(bytes_url)
    results = {
        "API": call_all(client, READING),
        "archive as bytes": call_all(client, DOWNLOADING),
        "archive by redirect": call_all(rest_client(redirect_url), DOWNLOADING),
        "wrong key": call_all(
            rest_client(bytes_url, "wrong"), {"list_training_runs": [((), {})]}
        ),
        "deletion": delete_all(client),
    }
    called = {method for section in results.values() for method in section}
    public = {name for name in dir(RestClient) if not name.startswith("_")}
    results["methods not called"] = {name: [] for name in public - called - {"get_telemetry"}}
    json.dump(results, sys.stdout)


main(*sys.argv[1:])
