"""Lists the versions of every operator of the default domain, one operator a line: onnx/rewrite/testdata/versions.txt."""

import sys
from collections import defaultdict

import onnx.defs

versions = defaultdict(set)
for schema in onnx.defs.get_all_schemas_with_history():
    if schema.domain == "":
        versions[schema.name].add(schema.since_version)
out = open(sys.argv[1], "w") if len(sys.argv) > 1 else sys.stdout
print("# made by testdata/peers/versions.py with onnx", onnx.__version__, file=out)
for name in sorted(versions):
    print(name, *sorted(versions[name]), file=out)
