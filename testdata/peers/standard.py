"""Lists every form of every operator of onnx's domains, one a line: onnx/op/standard.txt.

First the sets of types, numbered from 0: element types of tensors, and "other" for sequences, optionals and maps. Then, a form a
line: domain (. for the default one), operator, version, least and most inputs, least and most outputs (-1: no bound), then
"deprecated", attributes as name:kind with ! behind those that are required and =default behind those that have one, and formal
inputs as type variable/set, with ? behind optional and * behind variadic ones, + where their types may differ, and behind >
formal outputs. Lines are sorted, so that the forms of an operator stand together.
"""

import sys

import onnx.defs
import onnx.helper
from onnx.defs import OpSchema

sets = {}


def types(names):
    tensors = [n[len("tensor("):-1] for n in names if n.startswith("tensor(")]
    if len(tensors) < len(names):
        tensors.append("other")
    return sets.setdefault(",".join(sorted(tensors)), len(sets))


def attribute(a):
    word = "%s:%s" % (a.name, str(a.type).split(".")[-1].lower())
    if a.required:
        return word + "!"
    if not a.default_value.name:
        return word
    v = onnx.helper.get_attribute_value(a.default_value)
    text = lambda x: x.decode() if isinstance(x, bytes) else "%.6g" % x if isinstance(x, float) else str(x)
    return word + "=" + (",".join(map(text, v)) if isinstance(v, (list, tuple)) else text(v))


lines = []
for s in onnx.defs.get_all_schemas_with_history():
    constraints = {c.type_param_str: c.allowed_type_strs for c in s.type_constraints}
    parts = [s.domain or ".", s.name, s.since_version]
    for n in (s.min_input, s.max_input, s.min_output, s.max_output):
        parts.append(-1 if n >= 2**31 - 1 else n)
    if s.deprecated:
        parts.append("deprecated")
    parts += [attribute(a) for a in s.attributes.values()]
    for i in list(s.inputs) + [None] + list(s.outputs):
        if i is None:
            parts.append(">")
            continue
        mark = {OpSchema.FormalParameterOption.Single: "", OpSchema.FormalParameterOption.Optional: "?",
                OpSchema.FormalParameterOption.Variadic: "*" if i.is_homogeneous else "+"}[i.option]
        parts.append("%s/%d%s" % (i.type_str.replace(" ", ""), types(constraints.get(i.type_str, [i.type_str])), mark))
    lines.append(" ".join(map(str, parts)))
out = open(sys.argv[1], "w") if len(sys.argv) > 1 else sys.stdout
print("# made by testdata/peers/standard.py with onnx", onnx.__version__, file=out)
for names in sets:
    print("set", names, file=out)
print("\n".join(sorted(lines)), file=out)
