"""Lists every form of every operator of onnx's domains, one a line: onnx/op/standard.txt.

First the sets of types, numbered from 0: element types of tensors, and "other" for sequences, optionals and maps. Then, a form a
line: domain (. for the default one), operator, version, least and most inputs, least and most outputs (-1: no bound), then
"deprecated", attributes as name:kind with ! behind those that are required, and formal inputs as type variable/set, with ? behind
optional and * behind variadic ones, + where their types may differ.
"""

import sys

import onnx.defs
from onnx.defs import OpSchema

sets = {}


def types(names):
    tensors = [n[len("tensor("):-1] for n in names if n.startswith("tensor(")]
    if len(tensors) < len(names):
        tensors.append("other")
    return sets.setdefault(",".join(sorted(tensors)), len(sets))


lines = []
for s in onnx.defs.get_all_schemas_with_history():
    constraints = {c.type_param_str: c.allowed_type_strs for c in s.type_constraints}
    parts = [s.domain or ".", s.name, s.since_version]
    for n in (s.min_input, s.max_input, s.min_output, s.max_output):
        parts.append(-1 if n >= 2**31 - 1 else n)
    if s.deprecated:
        parts.append("deprecated")
    kind = lambda a: str(a.type).split(".")[-1].lower()
    parts += ["%s:%s%s" % (a.name, kind(a), "!" if a.required else "") for a in s.attributes.values()]
    for i in s.inputs:
        mark = {OpSchema.FormalParameterOption.Single: "", OpSchema.FormalParameterOption.Optional: "?",
                OpSchema.FormalParameterOption.Variadic: "*" if i.is_homogeneous else "+"}[i.option]
        parts.append("%s/%d%s" % (i.type_str.replace(" ", ""), types(constraints.get(i.type_str, [i.type_str])), mark))
    lines.append(" ".join(map(str, parts)))
out = open(sys.argv[1], "w") if len(sys.argv) > 1 else sys.stdout
print("# made by testdata/peers/standard.py with onnx", onnx.__version__, file=out)
for names in sets:
    print("set", names, file=out)
print("\n".join(sorted(lines)), file=out)
