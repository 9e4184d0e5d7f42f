#!/usr/bin/env python3
"""schemas.py SEKISHO EXAMPLES: the published JSON schemas take the examples, and agree with the parser on what is wrong."""
import copy
import glob
import json
import os
import re
import subprocess
import sys
import tempfile

import jsonschema
import yaml

# A complaint about a file's form, not about what its values mean.
FORM = re.compile(r": (Backtrace|Expecting|the list is empty|Invalid|Missing|Unexpected key|Unknown flag|one plain word)")

sekisho, examples = os.path.realpath(sys.argv[1]), sys.argv[2]
failed = False


def fail(text):
    global failed
    failed = True
    print("FAILED:", text)


def schema_of(*options):
    text = subprocess.run([sekisho, "config", "schema", *options], capture_output=True, check=True).stdout
    schema = json.loads(text)
    jsonschema.Draft202012Validator.check_schema(schema)
    return schema


def sample(schema):
    """A value with every key there is."""
    if "enum" in schema:
        return schema["enum"][0]
    if schema["type"] == "object":
        return {key: sample(value) for key, value in schema["properties"].items()}
    if schema["type"] == "array":
        return [sample(schema["items"])]
    return 1 if schema["type"] == "integer" else "word"


def nodes(value, path=()):
    """The path of every value in a document, the whole of it left out."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield path + (key,)
        yield from nodes(inner, path + (key,))


def changed(document):
    """(what was done, the document with it): one thing at one place each."""
    for path in list(nodes(document)):
        for what in ["without", "misspelled", "word", 5, 2**70, True, [], ["word"], {"word": 1}]:
            copied = copy.deepcopy(document)
            parent = copied
            for key in path[:-1]:
                parent = parent[key]
            key = path[-1]
            if what == "without":
                del parent[key]
            elif what != "misspelled":
                parent[key] = what
            elif isinstance(parent, dict):
                parent[key + "x"] = parent.pop(key)
            yield f"{'.'.join(map(str, path))}: {what}", copied


def complaints(command, documents, folder):
    """What the parser says of the form of each document: a line, or nothing. JSON is YAML."""
    paths = [os.path.join(folder, f"{number}.yaml") for number in range(len(documents))]
    for path, document in zip(paths, documents):
        with open(path, "w", encoding="utf-8") as f:
            json.dump(document, f)
    lines = subprocess.run([sekisho, *command, *paths], capture_output=True, text=True, check=False).stderr.split("\n")
    return [next((line for line in lines if line.startswith(path + ":") and FORM.search(line)), None) for path in paths]


def check(schema, command, most, files):
    """`most`: files that the command takes at a time."""
    validator = jsonschema.Draft202012Validator(schema)
    for path in files:
        with open(path, encoding="utf-8") as f:
            for error in validator.iter_errors(yaml.safe_load(f)):
                fail(f"{path}: {error.json_path}: {error.message}")
    cases = [("every key", sample(schema)), *changed(sample(schema))]
    with tempfile.TemporaryDirectory() as folder:
        for first in range(0, len(cases), most):
            batch = cases[first:first + most]
            for (what, document), said in zip(batch, complaints(command, [document for _, document in batch], folder)):
                if validator.is_valid(document) == bool(said):
                    fail(f"{schema['title']}: {what}: " + (f"the schema takes it, the parser: {said}" if said else "only the schema refuses it"))
    print(f"{schema['title']}: {len(cases)} documents")


check(schema_of(), ["config", "check"], 1, [os.path.join(examples, "sekisho.yaml")])
check(schema_of("--tenant"), ["policy", "test"], 64, glob.glob(os.path.join(examples, "tenants", "*.yaml")))
sys.exit(failed)
