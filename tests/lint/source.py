"""What the checks share: the tree's files and the way a finding is told."""
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SKIP = {".git", "node_modules", "__pycache__", "subprojects"}


def files(folders, endings):
    """Paths relative to the root, sorted; build folders and what git ignores by habit are left out."""
    found = []
    for folder in folders:
        for where, names, leaves in os.walk(os.path.join(ROOT, folder)):
            names[:] = [n for n in names if n not in SKIP and not os.path.isdir(os.path.join(where, n, "meson-private"))]
            found += [os.path.relpath(os.path.join(where, leaf), ROOT) for leaf in leaves if leaf.endswith(endings)]
    return sorted(found)


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8", errors="surrogateescape") as f:
        return f.read()


def finish(name, findings, note):
    """Prints the findings, then the check's one line; ends the program."""
    for finding in findings:
        print(finding)
    print(f"{name}: {'FAIL, %d to mend' % len(findings) if findings else 'ok'} ({note})")
    sys.exit(1 if findings else 0)
