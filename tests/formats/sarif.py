#!/usr/bin/env python3
"""SARIF output against the published schema.

    python sarif.py YAGURA SCHEMA

A scan of the sample account and checks of templates, in both languages, one template with a name that a URI cannot hold as it
stands.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

import jsonschema

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUNDLE = ROOT / "fixtures" / "company.bundle"
TEMPLATE = "Resources:\n  Bucket: { Type: AWS::S3::Bucket }\n"


def main():
    yagura, schema = sys.argv[1], json.loads(pathlib.Path(sys.argv[2]).read_text())
    kind = jsonschema.validators.validator_for(schema)
    validator = kind(schema, format_checker=kind.FORMAT_CHECKER)
    with tempfile.TemporaryDirectory() as folder:
        template = pathlib.Path(folder) / "the bucket é%.yml"
        template.write_text(TEMPLATE)
        runs = [["scan", "--bundle", str(BUNDLE)], ["check", str(template)]]
        for lang in ("en", "ja"):
            for run in runs:
                done = subprocess.run([yagura, "--data-dir", folder, "--lang", lang, *run, "-o", "sarif"], check=True,
                                      capture_output=True, text=True)
                document = json.loads(done.stdout)
                assert document["runs"][0]["results"], f"{run}: nothing to validate"
                problems = [f"{list(error.absolute_path)}: {error.message}" for error in validator.iter_errors(document)]
                assert not problems, "\n".join(problems[:10])
                for result in document["runs"][0]["results"]:
                    for location in result["locations"]:
                        uri = location.get("physicalLocation", {}).get("artifactLocation", {}).get("uri", "")
                        assert uri.isascii() and " " not in uri, uri
    print("SARIF agrees with its schema")


if __name__ == "__main__":
    main()
