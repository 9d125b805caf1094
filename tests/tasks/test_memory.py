"""Freed memory that is kept costs no page faults when it is used again."""

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource, torch
if {keep}:
    from equivision.tasks import keep_freed_memory
    assert keep_freed_memory()
def step():
    a = torch.ones(48, 2**20)
    return float((a + a)[0, 0])
step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(4):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(*, keep: bool) -> int:
    command = [sys.executable, "-c", PROGRAM.format(keep=keep)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
def test_the_second_step_finds_the_memory_of_the_first() -> None:
    kept, lost = page_faults(keep=True), page_faults(keep=False)
    assert 4 * kept < lost, (kept, lost)
