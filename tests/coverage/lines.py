"""The table of `tests/coverage/run`: lines of each folder of `src` that hold code, and how many of them ran.

lines.py LCOV FLOORS FOLDER...   ends with an error when a floor is broken or could be raised
"""

import math
import re
import sys
from pathlib import Path

HAIR = 0.2  # percent that a folder may be above its floor before the floor has to be raised


def is_test(file):
    return file.name == "tests.rs" or "tests" in file.parts


def end_of_product(file):
    """The first line of the tests at the end of the file, or one past its last."""
    lines = file.read_text().splitlines()
    for number, pair in enumerate(zip(lines, lines[1:]), 1):
        if pair == ("#[cfg(test)]", "mod tests {"):
            return number
    return len(lines) + 1


def counted(lcov, folders):
    """For each product file of the folders, its lines and how often each ran."""
    root = Path.cwd() / "src"
    files, lines, end = {}, {}, 0
    for row in lcov.read_text().splitlines():
        if row.startswith("SF:"):
            file = Path(row[3:])
            wanted = root in file.parents and file.relative_to(root).parts[0] in folders and not is_test(file)
            lines = files.setdefault(file.relative_to(root.parent), {}) if wanted else {}
            end = end_of_product(file) if wanted else 0
        elif found := re.match(r"DA:(\d+),(\d+)", row):
            number, count = map(int, found.groups())
            if number < end:
                lines[number] = lines.get(number, 0) + count
    return files


def main():
    lcov, floors, *folders = sys.argv[1:]
    rows = (line.split() for line in Path(floors).read_text().splitlines() if line[:1] not in ("", "#"))
    floors = {folder: float(percent) for folder, percent in rows}
    files = counted(Path(lcov), folders)
    if not files:
        sys.exit("nothing was counted")
    for file, lines in sorted(files.items()):
        missed = [number for number, count in lines.items() if count == 0]
        text = file.read_text().splitlines()
        for number in missed:
            print(f"{file}:{number}: {text[number - 1].strip()}")
    print(f"\n{'folder':10} {'lines':>6} {'missed':>6} {'percent':>8} {'floor':>7}")
    complaints = []
    for folder in folders:
        counts = [n for file, lines in files.items() if file.parts[1] == folder for n in lines.values()]
        missed = counts.count(0)
        # Rounded down, so that 100 is every line.
        percent = math.floor(10_000 * (len(counts) - missed) / len(counts)) / 100
        floor = floors[folder]
        print(f"{folder:10} {len(counts):6} {missed:6} {percent:8.2f} {floor:7.2f}")
        if percent < floor:
            complaints.append(f"{folder}: {percent} % of its lines ran, {floor} % is the floor")
        elif percent > floor + HAIR or percent == 100 > floor:
            complaints.append(f"{folder}: its floor could be {percent}, raise it")
    print()
    for complaint in complaints:
        print(complaint)
    print(f"{len(folders) - len(complaints)} passed, {len(complaints)} failed")
    sys.exit(bool(complaints))


main()
