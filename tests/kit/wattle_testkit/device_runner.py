"""Runs test functions of one file on MicroPython: device_runner.py FILE [NAME...]

The dialect is MicroPython's, for this runs on the device's interpreter. Every line that begins
with two colons is for `device_cases`, all else is output of the case that was started last.
"""

import gc
import sys


def main(path: str, names: list[str]) -> None:
    """path: absolute, of the cases file. names: which functions; none: all, by name."""
    folder, _, file = path.rpartition("/")
    # The interpreter put the folder of this script first; a case must not find its neighbours.
    sys.path[0] = folder
    run(file[: -len(".py")], names)


def run(module_name: str, names: list[str]) -> None:
    """Runs functions of a module that can be imported; names: which; none: all, by name."""
    module = __import__(module_name)
    failed = 0
    names = names or sorted(name for name in dir(module) if name.startswith("test_"))
    for name in names:
        gc.collect()
        print("::start", name)
        try:
            getattr(module, name)()
        except Exception as error:
            sys.print_exception(error, sys.stdout)  # type: ignore[attr-defined]
            print("::failed", name)
            failed += 1
        else:
            print("::passed", name)
    print("::end", len(names) - failed, "passed,", failed, "failed")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
