"""Times a program of this directory: python3 drive.py NAME SIZE BUDGET-MS

Prints the CPU nanoseconds of the first run and of each later run.
"""

import json
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from time import process_time_ns


def load(name):
    # By path: `array` and others are modules of the library as well.
    path = Path(__file__).with_name(f"{name}.py")
    spec = spec_from_file_location(name, path)
    program = module_from_spec(spec)
    spec.loader.exec_module(program)
    return program.run


def timed(run, size):
    began = process_time_ns()
    checksum = run(size)
    return process_time_ns() - began, checksum


def main():
    sys.dont_write_bytecode = True
    run = load(sys.argv[1])
    size, budget = int(sys.argv[2]), int(sys.argv[3]) * 1_000_000
    first, checksum = timed(run, size)
    later = []
    while not later or sum(later) < budget:
        nanoseconds, again = timed(run, size)
        if again != checksum:
            sys.exit("runs differ")
        later.append(nanoseconds)
    print(json.dumps({"checksum": checksum, "first": first, "later": later}))


main()
