#!/usr/bin/env python3
"""All tests, or those whose name contains one of the words given. The word "all" adds what takes long: more_tests() of
the modules of test/boot. One line per test; the last line is "N passed, N failed", where a skipped test is neither;
"N skipped" stands before it when there are any. Two run at a time. Started by build.sh test, which has built out/ and
installed what is needed."""
import concurrent.futures
import importlib
import os
import pathlib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "boot"))
import vm

WORKERS = 2
FUZZ_RUNS = 50000
SANITIZE = "address,undefined"


def host_test(source):
    """A first line "// flags: ..." stands for the usual sanitizers."""
    out = vm.OUT / "test" / f"host-{source.stem}"
    first = source.read_text().partition("\n")[0]
    flags = first.removeprefix("// flags: ") if first.startswith("// flags: ") else f"-O1 -fsanitize={SANITIZE}"
    vm.run(["gcc", "-std=gnu11", "-g", "-I.", *flags.split(), "-fno-sanitize-recover", "-Wall", "-Wextra", source,
            "-o", out])
    vm.run([out])


def fuzz_test(source):
    out = vm.OUT / "test" / f"fuzz-{source.stem}"
    vm.run(["clang", "-std=gnu11", "-g", "-O1", "-I.", f"-fsanitize=fuzzer,{SANITIZE}", "-fno-sanitize-recover", source,
            "-o", out])
    with vm.directory() as corpus:
        vm.run([out, f"-runs={FUZZ_RUNS}", "-seed=1", "-max_len=8192", f"-artifact_prefix={corpus}/", corpus],
               timeout=600)


def collect(more, names=()):
    """Pairs of name and function: the slow ones first, so that both workers end together. more: also what takes long,
    which a module that has nothing else gives when it is named."""
    tests = [("check", lambda: vm.run(["./build.sh", "check"], timeout=600))]
    for module in sorted((vm.ROOT / "test/boot").glob("*.py")):
        if module.stem not in ("vm", "gdb"):
            tested = importlib.import_module(module.stem)
            short = hasattr(tested, "tests")
            if short:
                tests += [(f"{module.stem}/{name}", function) for name, function in tested.tests()]
            named = not short and any(name.startswith(module.stem) for name in names)
            if hasattr(tested, "more_tests") and (more or named):
                tests += [(f"{module.stem}/{name}", function) for name, function in tested.more_tests()]
    for source in sorted((vm.ROOT / "test/fuzz").glob("*.c")):
        tests.append((f"fuzz/{source.stem}", lambda source=source: fuzz_test(source)))
    for source in sorted((vm.ROOT / "test/host").glob("*.c")):
        tests.append((f"host/{source.stem}", lambda source=source: host_test(source)))
    return tests


def one(name, function):
    start = time.monotonic()
    try:
        function()
        reason = None
    except vm.Skipped as skipped:
        print(f"skipped {name}: {skipped}", flush=True)
        return None
    except (vm.Failed, subprocess.TimeoutExpired) as failure:
        reason = str(failure)
    except Exception as failure:  # a bug in the test itself is a failure with its place
        place = failure.__traceback__
        while place.tb_next:
            place = place.tb_next
        reason = f"{type(failure).__name__}: {failure} ({place.tb_frame.f_code.co_filename}:{place.tb_lineno})"
    seconds = f"{time.monotonic() - start:.1f} s"
    print(f"ok {name} ({seconds})" if reason is None else f"FAILED {name} ({seconds}): {reason}", flush=True)
    return reason is None


def main(words):
    os.chdir(vm.ROOT)
    (vm.OUT / "test").mkdir(parents=True, exist_ok=True)
    names = [word for word in words if word != "all"]
    tests = [test for test in collect("all" in words, names) if not names or any(name in test[0] for name in names)]
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        results = list(pool.map(lambda test: one(*test), tests))
    if None in results:
        print(f"{results.count(None)} skipped")
    print(f"{results.count(True)} passed, {results.count(False)} failed")
    return 0 if True in results and False not in results else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
