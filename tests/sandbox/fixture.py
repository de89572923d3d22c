#!/usr/bin/env python3
"""Records the sample account of fixtures/ anew.

    python fixture.py YAGURA SANDBOX_FOLDER

The sandbox's seeding script fills a moto server; what moto does not implement is answered as denied, so that the sample also
shows what a missing permission does.
"""
import pathlib
import sys
import tempfile

from proxy import DENY_WHAT_IS_MISSING, FaultProxy
from run import Sandbox, Yagura

BUNDLE = pathlib.Path(__file__).resolve().parents[2] / "fixtures" / "company.bundle"


def main():
    program, folder = str(pathlib.Path(sys.argv[1]).resolve()), pathlib.Path(sys.argv[2]).resolve()
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        sandbox = Sandbox(folder, scratch)
        try:
            with FaultProxy(sandbox.url, DENY_WHAT_IS_MISSING, lambda *_: False) as proxy:
                print(Yagura(program, proxy.url, scratch).run("collect", "--no-record", "--bundle", BUNDLE).stdout, end="")
        finally:
            sandbox.stop()


if __name__ == "__main__":
    main()
