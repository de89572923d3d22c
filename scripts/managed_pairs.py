#!/usr/bin/env python3
"""Pairs of neighbouring AWS managed policies, as lines for `yagura access compare --batch`.

    python managed_pairs.py aws_managed_policies.py > pairs.jsonl

The file is moto's (`moto/iam/aws_managed_policies.py`), which has every managed policy of AWS. Each policy is paired, both
ways, with the next one by name, and with the next one that shares its first action's service: such pairs overlap, as an old
and a new version of one policy do.
"""
import ast
import json
import pathlib
import sys


def policies(path):
    """The documents by name, from the one text that the module holds."""
    for node in ast.parse(pathlib.Path(path).read_text()).body:
        value = getattr(node, "value", None)
        if isinstance(value, ast.Constant) and isinstance(value.value, str) and value.value.lstrip().startswith("{"):
            return {name: policy["Document"] for name, policy in json.loads(value.value).items()}
    sys.exit(f"{path}: no text of managed policies in it")


def service(document):
    statements = document["Statement"]
    first = statements[0] if isinstance(statements, list) else statements
    actions = first.get("Action") or first.get("NotAction")
    return (actions if isinstance(actions, str) else actions[0]).split(":")[0].lower()


def main():
    documents = sorted(policies(sys.argv[1]).items())
    by_service = {}
    for name, document in documents:
        by_service.setdefault(service(document), []).append((name, document))
    seen = set()
    for row in [documents, *by_service.values()]:
        for (one, old), (other, new) in zip(row, row[1:]):
            for existing, added in (((one, old), (other, new)), ((other, new), (one, old))):
                id = f"{existing[0]} > {added[0]}"
                if id not in seen:
                    seen.add(id)
                    print(json.dumps({"id": id, "existing": existing[1], "new": added[1]}))


if __name__ == "__main__":
    main()
